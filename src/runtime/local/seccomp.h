/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that a replica may make: what a server with threads needs to read files and
 * answer on sockets, in any libc, on amd64 and arm64. All others fail with ENOSYS. NULL-terminated.
 */
#ifndef EFFIGY_RUNTIME_LOCAL_SECCOMP_H
#define EFFIGY_RUNTIME_LOCAL_SECCOMP_H

extern const char *const seccomp_allowed[];

#endif
