// Scan: reads the definitions of a workspace's files into the connection's symbol index, once, in
// the background. Loop thread.
#pragma once

#include "connection.h"

// Starts over conn->root, at most config.index_files files. Nothing happens without a root, with a
// limit of 0, or while a scan runs.
void scan_start(Connection *conn);
// The running scan no longer reports; its worker ends soon.
void scan_stop(Connection *conn);
