/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/local/bundle.h"

#include "base/mem.h"
#include "base/str.h"
#include "runtime/local/seccomp.h"

#include <errno.h>
#include <jansson.h>

static json_t *
bundle_strings(const char *const *strings)
{
    json_t *array = json_array();
    for (; strings && *strings; strings++)
        json_array_append_new(array, json_string(*strings));
    return array;
}

static json_t *
bundle_environment(const struct bundle *bundle)
{
    json_t *array = json_array();
    for (char *const *entry = bundle->environment; entry && *entry; entry++) {
        if (!str_starts(*entry, "LISTEN_"))
            json_array_append_new(array, json_string(*entry));
    }
    /* sd_listen_fds(3) */
    json_array_append_new(array, json_string("LISTEN_FDS=2"));
    json_array_append_new(array, json_string("LISTEN_PID=1"));
    json_array_append_new(array, json_string("LISTEN_FDNAMES=published:private"));
    return array;
}

static json_t *
bundle_process(const struct bundle *bundle)
{
    json_t *none = json_array();
    json_t *capabilities = json_pack("{s:O, s:O, s:O, s:O, s:o}", "bounding", none, "effective",
                                     none, "permitted", none, "inheritable", none, "ambient", none);
    /* In a user namespace with a single id, runc can become only 0, which outside is the caller. */
    json_int_t uid = bundle->is_rootless ? 0 : BUNDLE_UID;
    return json_pack("{s:b, s:{s:I, s:I}, s:o, s:o, s:s, s:o, s:[{s:s, s:I, s:I}], s:b, s:i}",
                     "terminal", 0, "user", "uid", uid, "gid", uid, "args",
                     bundle_strings(bundle->argv), "env", bundle_environment(bundle), "cwd",
                     bundle->working_dir && *bundle->working_dir ? bundle->working_dir : "/",
                     "capabilities", capabilities, "rlimits", "type", "RLIMIT_NOFILE", "hard",
                     (json_int_t)bundle->open_files, "soft", (json_int_t)bundle->open_files,
                     "noNewPrivileges", 1, "oomScoreAdj", 100);
}

static json_t *
bundle_seccomp(void)
{
#if defined(__x86_64__)
    const char *architecture = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
    const char *architecture = "SCMP_ARCH_AARCH64";
#else
    return NULL;
#endif
    return json_pack("{s:s, s:i, s:[s], s:[{s:o, s:s}]}", "defaultAction", "SCMP_ACT_ERRNO",
                     "defaultErrnoRet", ENOSYS, "architectures", architecture, "syscalls", "names",
                     bundle_strings(seccomp_allowed), "action", "SCMP_ACT_ALLOW");
}

static json_t *
bundle_resources(const struct bundle *bundle)
{
    json_t *resources = json_object();
    if (bundle->memory_bytes)
        json_object_set_new(resources, "memory",
                            json_pack("{s:I}", "limit", (json_int_t)bundle->memory_bytes));
    if (bundle->cpus > 0)
        json_object_set_new(resources, "cpu",
                            json_pack("{s:I, s:I}", "quota", (json_int_t)(bundle->cpus * 100000),
                                      "period", (json_int_t)100000));
    return resources;
}

static json_t *
bundle_linux(const struct bundle *bundle)
{
    static const char *const masked[] = {
        "/proc/acpi",        "/proc/asound", "/proc/interrupts",
        "/proc/kcore",       "/proc/keys",   "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi",   "/proc/timer_list",
        "/proc/timer_stats", NULL,
    };
    static const char *const read_only[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
    };
    static const char *const spaces[] = {"pid", "mount", "ipc", "uts", "cgroup", "network", "user"};
    json_t *namespaces = json_array();
    for (size_t i = 0; i < ARRAY_LENGTH(spaces) - !bundle->is_rootless; i++)
        json_array_append_new(namespaces, json_pack("{s:s}", "type", spaces[i]));
    CLEANUP_FREE char *cgroup = mem_printf("effigy-%s", bundle->id);
    json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "namespaces", namespaces, "maskedPaths",
                             bundle_strings(masked), "readonlyPaths", bundle_strings(read_only),
                             "resources", bundle_resources(bundle));
    /* An ordinary user mostly may not make a cgroup; runc passes over that unless one was named. */
    if (!bundle->is_rootless || bundle->memory_bytes || bundle->cpus > 0)
        json_object_set_new(json, "cgroupsPath", json_string(cgroup));
    if (bundle->is_rootless) {
        json_object_set_new(json, "uidMappings",
                            json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
                                      (json_int_t)bundle->uid, "size", 1));
        json_object_set_new(json, "gidMappings",
                            json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
                                      (json_int_t)bundle->gid, "size", 1));
    }
    json_t *seccomp = bundle->has_seccomp ? bundle_seccomp() : NULL;
    if (seccomp)
        json_object_set_new(json, "seccomp", seccomp);
    return json;
}

char *
bundle_format(const struct bundle *bundle, struct err **err)
{
    CLEANUP_FREE char *generation = mem_printf("%u", bundle->generation);
    json_t *annotations = json_pack("{s:s, s:s, s:s, s:s}", "io.effigy.role", "replica",
                                    "io.effigy.service", bundle->service, "io.effigy.generation",
                                    generation, "io.effigy.image", bundle->manifest_digest);
    /* Without a mount on /dev, runc makes its device nodes in the image. */
    json_t *mounts =
        json_pack("[{s:s, s:s, s:s, s:[s, s, s]}, {s:s, s:s, s:s, s:[s, s, s, s, s]}]",
                  "destination", "/proc", "type", "proc", "source", "proc", "options", "nosuid",
                  "noexec", "nodev", "destination", "/dev", "type", "tmpfs", "source", "tmpfs",
                  "options", "nosuid", "noexec", "ro", "mode=755", "size=64k");
    json_t *json = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o, s:o}", "ociVersion", "1.0.2",
                             "process", bundle_process(bundle), "root", "path", bundle->rootfs,
                             "readonly", 1, "hostname", bundle->service, "mounts", mounts,
                             "annotations", annotations, "linux", bundle_linux(bundle));
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text)
        err_set(err, ERR_UNSUPPORTED, 0,
                "cannot run %s: its image or folder has a name that is not UTF-8", bundle->id);
    return text;
}
