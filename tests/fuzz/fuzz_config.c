/* SPDX-License-Identifier: Apache-2.0 */
/* effigy.yaml from memory. What is accepted must be the same again when its values are written out
 * and read back. */
#include "base/mem.h"
#include "config/add.h"
#include "config/config.h"
#include "config/document.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct config_new_service service = {
        .name = "fuzz", .master = "sqlite:x", .image = "oci:y"};
    const char *text = (const char *)bytes;
    struct config *config = NULL, *again = NULL;
    struct buf added = {0}, once = {0}, twice = {0};
    struct err *err = NULL;
    /* ${file:} would make the outcome depend on the machine. */
    bool parsed =
        !memmem(text, length, "${", 2) && config_parse(text, length, "fuzz", ".", &config, &err);
    if (parsed) {
        config_write_effective(config, &once);
        /* A hidden password cannot come back as it was. */
        if (!strstr(buf_text(&once), "***")) {
            if (!config_parse(buf_text(&once), once.length, "again", ".", &again, NULL))
                abort();
            config_write_effective(again, &twice);
            if (strcmp(buf_text(&once), buf_text(&twice)) != 0)
                abort();
        }
        config_add_text(text, length, "fuzz", ".", &service, &added, NULL);
    }
    config_free(config);
    config_free(again);
    buf_free(&added);
    buf_free(&once);
    buf_free(&twice);
    err_free(err);
    return 0;
}
