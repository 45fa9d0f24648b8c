/// The worker of a server that preloads the library: maintains indexes by itself.
#pragma once

namespace nearest::pg::maintain {

/// Registers it; when the library is loaded, and only if the server preloads it.
void register_launcher();

}  // namespace nearest::pg::maintain
