// An HTTP/1.1 client for short questions to one server: bounded in connections, waiting requests,
// bytes and idle time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/response_reader.hpp"
#include "io/loop.hpp"
#include "io/tls.hpp"

namespace tandem::http {

struct ClientLimits {
  std::size_t connections_max = 4;
  std::size_t waiting_max = 1000;  ///< Requests for which no connection is free.
  std::size_t body_bytes_max = std::size_t{16} << 10;
  std::int64_t idle_us = 20'000'000;  ///< How long a connection without a request is kept.
};

/// How a server is asked by HTTPS.
struct ClientTls {
  std::shared_ptr<const io::TlsContext> context;  ///< Null: HTTP without TLS.
  std::string name;  ///< The host that the server must prove to be; "": its address.
};
/// Reads the files. Null context when `https` is off. Errors: those of TlsContext::create(), with
/// the key of the file in front.
[[nodiscard]] Result<ClientTls> open_client_tls(const HttpsConfig& https,
                                                const std::string& folder);

/// What a Host header says: the name with the port, when it has one, else the address.
[[nodiscard]] std::string host_of(const std::string& name, const SocketAddress& server);

/// Hears what became of requests. May call any method of the client, but not destroy it.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  /// `response` ends with the call.
  virtual void on_response(std::uint64_t id, ReceivedResponse& response) = 0;
  /// No usable response came. `reason`: one line.
  virtual void on_failure(std::uint64_t id, std::string_view reason) = 0;
};

/// Sends each request on a connection of its own, at most `connections_max` at once; the others
/// wait in order. Connections are used again while the server lets them. There are no deadlines
/// here: whoever asks forgets what takes too long.
///
/// Threading: loop-bound.
class Client final {
 public:
  /// `loop` and `events` outlive the client.
  Client(io::Loop& loop, const SocketAddress& server, const ClientLimits& limits,
         ClientEvents& events, ClientTls tls = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// `id`: of the caller's choice, of no other request that is under way. `request`: the bytes of a
  /// request that may be sent twice, as it is when the server closes an idle connection. False: too
  /// many wait, and no event will come. No event comes before this returns.
  [[nodiscard]] bool ask(std::uint64_t id, std::string request);
  /// No event will come for it. A connection that waits for its response is closed.
  void forget(std::uint64_t id);

  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  class Connection;
  struct Waiting {
    std::uint64_t id;
    std::string request;
  };

  void dispatch_later();
  void dispatch();
  void retire(Connection& connection);

  io::Loop& loop_;
  const SocketAddress server_;
  const ClientLimits limits_;
  ClientEvents& events_;
  const ClientTls tls_;
  std::deque<Waiting> waiting_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> retired_;  // until the end of the turn
  bool is_dispatching_ = false;                       // at the end of the turn
  std::shared_ptr<bool> is_alive_ =
      std::make_shared<bool>(true);  // deferred tasks may come after us
};

}  // namespace tandem::http
