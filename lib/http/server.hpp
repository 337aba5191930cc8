// An HTTP/1.1 server on one loop: bounded in connections, bytes and time.
//
// Ours and not libre's: it runs on the simulated network too, and its limits are the ones named
// here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "http/message.hpp"
#include "io/loop.hpp"

namespace tandem::http {

struct ServerCounters {
  std::uint64_t requests = 0;
  std::uint64_t connections_refused = 0;  ///< Beyond connections_max, all of them of known clients.
  std::uint64_t connections_dropped = 0;  ///< Of strangers, to make room for a new one.
  std::uint64_t requests_refused = 0;     ///< Malformed or too large.
  std::uint64_t timeouts = 0;             ///< Connections that were idle, or read too slowly.
  std::uint64_t streams = 0;              ///< Open now.
};

/// Answers requests one after the other, in order; a request that follows while an answer is being
/// sent waits in the reader, whose size is bounded.
///
/// Threading: loop-bound.
class Server final : private io::AcceptHandler {
 public:
  /// A connection more takes the place of the oldest stranger: one whose client has not yet sent
  /// the head of a request that showed who it is. So those who say nothing keep nobody out.
  static constexpr std::size_t connections_max = 64;
  static constexpr std::int64_t head_us =
      5'000'000;  ///< For the first head, from the connection on.
  static constexpr std::int64_t idle_us =
      30'000'000;  ///< For a request to come whole, and for an answer to be read on.
  static constexpr std::int64_t linger_us =
      2'000'000;  ///< From the last answer until we close what the client did not.
  static constexpr std::size_t large_bodies_bytes_max =
      std::size_t{512} << 20;  ///< Of all bodies together that are longer than the usual limit,
                               ///< until nobody holds a copy of their request.
  static constexpr std::int64_t stream_poll_us = 50'000;  ///< How often a stream is asked for more.

  /// Runs on the loop for each request; may block, which delays only this server.
  using Answer = std::function<Response(const Request&)>;
  /// Whether a head shows that its client is no stranger.
  using Knows = std::function<bool(const Request& head)>;

  /// `loop` outlives the server. `body_limit`: for requests that may be longer than usual, within
  /// large_bodies_bytes_max. `knows`: none takes any head for enough. Errors: those of
  /// Loop::listen().
  static Result<std::unique_ptr<Server>> create(io::Loop& loop, const SocketAddress& local,
                                                Answer answer,
                                                RequestReader::BodyLimit body_limit = {},
                                                Knows knows = {});
  ~Server() override;

  [[nodiscard]] SocketAddress address() const noexcept { return listener_->local(); }
  [[nodiscard]] const ServerCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }

 private:
  class Connection;

  Server(io::Loop& loop, Answer answer, RequestReader::BodyLimit body_limit, Knows knows);
  [[nodiscard]] std::size_t body_limit(const Request& head) const;
  [[nodiscard]] bool knows(const Request& head) const { return !knows_ || knows_(head); }
  void on_accept(std::unique_ptr<io::StreamConnection> stream) override;
  bool make_room();
  void retire(std::uint64_t number);

  io::Loop& loop_;
  const Answer answer_;
  const RequestReader::BodyLimit body_limit_;
  const Knows knows_;
  // Announced by requests that are not answered yet, or held by who was given them: a job that goes
  // on behind its answer, on a thread of its own, and may outlive the server.
  const std::shared_ptr<std::atomic<std::size_t>> large_bodies_bytes_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  ServerCounters counters_;
  std::uint64_t last_number_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;  // the oldest first
  std::unique_ptr<io::StreamListener> listener_;
  std::shared_ptr<bool> is_alive_ =
      std::make_shared<bool>(true);  // deferred tasks may come after us
};

}  // namespace tandem::http
