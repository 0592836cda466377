/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a root file system together from unpacked layers. */
#ifndef EFFIGY_RUNTIME_LOCAL_MERGE_H
#define EFFIGY_RUNTIME_LOCAL_MERGE_H

#include "base/err.h"

#include <stdbool.h>

/* Adds one unpacked layer to a rootfs on the same file system: its files and links become hard
 * links, and its whiteouts (OCI image spec 1.1, layer.md, "Whiteouts": ".wh.NAME", ".wh..wh..opq")
 * remove what lower layers brought. Layers are added lowest first. The folders are synced. */
bool merge_layer(const char *layer, const char *rootfs, struct err **err);

/* Makes everything below a folder readable, and folders and programs usable, by any user. */
bool merge_open_modes(const char *folder, struct err **err);

#endif
