// The client's side of WebSocket (RFC 6455), as a browser on a simulated network speaks it.
#pragma once

#include <memory>

#include "io/loop.hpp"
#include "tandem/clock.hpp"

namespace tandem::sim {

/// A connection to a server that speaks "sip" (RFC 7118), made when the server has agreed to it.
/// Each on_bytes() is one message, and so is each send(). Pings are answered. `random` masks what
/// is sent, and outlives the connection. Errors: those of Loop::connect().
Result<std::unique_ptr<io::StreamConnection>> connect_websocket(io::Loop& loop,
                                                                const SocketAddress& remote,
                                                                Random& random,
                                                                io::StreamHandler& handler);

}  // namespace tandem::sim
