// An HTTP server in virtual time: waits move the clock, and each request is answered by a script.
#pragma once

#include <algorithm>
#include <charconv>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.hpp"
#include "remote/byte_stream.hpp"
#include "tandem/clock.hpp"

namespace tandem::remote::test {

/// The record ids of a pushed batch, in order.
inline std::vector<std::uint64_t> ids_in(std::string_view body) {
  std::vector<std::uint64_t> ids;
  constexpr std::string_view key = "\"record_id\":";
  for (std::size_t at = body.find(key); at != std::string_view::npos; at = body.find(key, at + 1)) {
    std::uint64_t id = 0;
    std::from_chars(body.data() + at + key.size(), body.data() + body.size(), id);
    ids.push_back(id);
  }
  return ids;
}

struct FakeAnswer {
  int status = 200;
  std::string body{};
  std::string headers{};         ///< Whole lines with their ends.
  bool is_silent = false;        ///< The body was taken, and no answer ever comes.
  bool is_cut = false;           ///< The body was taken, and the connection ends.
  std::int64_t byte_gap_us = 0;  ///< Each byte of the answer comes so long after the one before.
  bool closes = false;           ///< The connection ends behind the answer.
};

/// What a server got and gave. Script: the answer to a request, by what it holds.
struct FakeServer {
  explicit FakeServer(SimulatedClock& its_clock) : clock(its_clock) {}

  SimulatedClock& clock;
  bool is_down = false;
  std::function<FakeAnswer(const http::Request&)> script = [](const http::Request&) {
    return FakeAnswer{};
  };
  std::vector<http::Request> requests;
  std::vector<std::uint64_t> stored;  ///< Of requests that were answered 2xx or cut, with doubles.
  std::size_t connections = 0;
  std::string asked_host;  ///< Of the last connection.
  std::uint16_t asked_port = 0;
  std::size_t generation = 0;  ///< Connections of before are closed when it grows.
  int early_status = 0;        ///< Not 0: the answer in the middle of a request, which is not read.
};

class FakeStream final : public ByteStream {
 public:
  explicit FakeStream(FakeServer& server) : server_(server), generation_(server.generation) {}

  Result<std::size_t> send_some(std::string_view bytes, std::int64_t) override {
    if (generation_ != server_.generation || is_over_)
      return Error{ErrorCode::io, "send: Broken pipe"};
    if (server_.early_status != 0) {
      waiting_ =
          "HTTP/1.1 " + std::to_string(server_.early_status) + " X\r\nContent-Length: 0\r\n\r\n";
      is_over_ = true;
      return Error{ErrorCode::wrong_state, "peer answered in the middle of a request"};
    }
    if (!reader_.append(bytes)) return Error{ErrorCode::io, "send: too much"};
    while (reader_.read() == http::RequestReader::Outcome::complete) {
      http::Request& request = reader_.request();
      const FakeAnswer answer = server_.script(request);
      if (answer.is_cut || (answer.status >= 200 && answer.status < 300 && !answer.is_silent)) {
        for (const std::uint64_t id : ids_in(request.body))
          server_.stored.push_back(id);
      }
      server_.requests.push_back(std::move(request));
      reader_.take();
      is_over_ = answer.is_cut || answer.closes;
      gap_us_ = answer.byte_gap_us;
      if (!answer.is_silent && !answer.is_cut) {
        waiting_ += "HTTP/1.1 " + std::to_string(answer.status) + " X\r\n" + answer.headers +
                    "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" +
                    answer.body;
      }
    }
    return bytes.size();
  }

  Result<std::size_t> receive(char* buffer, std::size_t bytes, std::int64_t until_us) override {
    if (generation_ != server_.generation) return std::size_t{0};
    if (waiting_.empty() && is_over_) return std::size_t{0};
    const std::int64_t left_us = until_us - server_.clock.monotonic_us();
    if (waiting_.empty() || left_us <= gap_us_) {
      if (left_us > 0) server_.clock.advance_us(left_us);
      return Error{ErrorCode::timeout, "deadline passed"};
    }
    server_.clock.advance_us(gap_us_);
    const std::size_t count = gap_us_ > 0 ? 1 : std::min(bytes, waiting_.size());
    waiting_.copy(buffer, count);
    waiting_.erase(0, count);
    return count;
  }

 private:
  FakeServer& server_;
  const std::size_t generation_;
  http::RequestReader reader_{[](const http::Request&) { return std::size_t{16} << 20; }};
  std::string waiting_;
  std::int64_t gap_us_ = 0;
  bool is_over_ = false;
};

class FakeDialer final : public Dialer {
 public:
  explicit FakeDialer(FakeServer& server) : server_(server) {}
  Result<std::unique_ptr<ByteStream>> connect(const std::string& host, std::uint16_t port,
                                              std::int64_t) override {
    server_.asked_host = host;
    server_.asked_port = port;
    if (server_.is_down) return Error{ErrorCode::io, "connect: Connection refused"};
    ++server_.connections;
    return std::unique_ptr<ByteStream>(std::make_unique<FakeStream>(server_));
  }

 private:
  FakeServer& server_;
};

}  // namespace tandem::remote::test
