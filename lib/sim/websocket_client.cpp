#include "sim/websocket_client.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "io/websocket.hpp"

namespace tandem::sim {
namespace {

using io::WebSocketOpcode;
using io::WebSocketReader;

constexpr std::size_t head_bytes_max = 4096;
constexpr std::size_t message_bytes_max = 65'535;
// That of RFC 6455 section 1.3: no cache is to be fooled here.
constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";

class WebSocketClient final : public io::StreamConnection, private io::StreamHandler {
 public:
  WebSocketClient(const SocketAddress& remote, Random& random, io::StreamHandler& handler)
      : remote_(remote), random_(random), handler_(&handler) {}
  ~WebSocketClient() override {
    if (gone_ != nullptr) *gone_ = true;
  }

  Result<void> open(io::Loop& loop) {
    auto made = loop.connect(remote_, *this);
    if (!made) return std::move(made).error();
    stream_ = std::move(*made);
    return {};
  }

  void set_handler(io::StreamHandler& handler) noexcept override { handler_ = &handler; }
  [[nodiscard]] SocketAddress local() const noexcept override {
    return stream_ != nullptr ? stream_->local() : SocketAddress{};
  }
  [[nodiscard]] SocketAddress remote() const noexcept override { return remote_; }
  [[nodiscard]] std::size_t room_bytes() const noexcept override {
    return stream_ != nullptr ? stream_->room_bytes() : 0;
  }
  Result<void> send(std::string_view message) override {
    if (!is_open_ || stream_ == nullptr)
      return Error{ErrorCode::wrong_state,
                   "WebSocket with " + remote_.to_string() + " was not open"};
    return put(WebSocketOpcode::text, message);
  }

 private:
  void on_connected() override {
    // Without room for this the server's deadline ends it.
    (void)stream_->send(
        "GET /sip HTTP/1.1\r\nHost: " + remote_.to_string() +
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + std::string(key) +
        "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n");
  }

  void on_bytes(std::string_view bytes) override {
    bool is_gone = false;
    bool* const outer = std::exchange(gone_, &is_gone);
    hear(bytes, is_gone);
    if (!is_gone) {
      gone_ = outer;
    } else if (outer != nullptr) {
      *outer = true;
    }
  }

  void hear(std::string_view bytes, const bool& is_gone) {
    std::string rest;  // bytes behind the answer of the server
    if (!is_open_) {
      head_ += bytes;
      const std::size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) {
        if (head_.size() > head_bytes_max) close("answered too much");
        return;
      }
      rest = head_.substr(end + 4);
      head_.resize(end + 2);
      const bool is_agreed = head_.starts_with("HTTP/1.1 101 ") &&
                             head_.find("\r\nSec-WebSocket-Accept: " + io::websocket_accept(key) +
                                        "\r\n") != std::string::npos &&
                             head_.find("\r\nSec-WebSocket-Protocol: sip\r\n") != std::string::npos;
      if (!is_agreed) return close("answered " + head_.substr(0, head_.find('\r')));
      is_open_ = true;
      head_ = {};
      handler_->on_connected();
      if (is_gone) return;
      bytes = rest;
    }
    while (!is_gone && stream_ != nullptr) {
      switch (reader_.read(bytes)) {
        case WebSocketReader::Outcome::more:
          return;
        case WebSocketReader::Outcome::message:
          handler_->on_bytes(reader_.payload());
          break;
        case WebSocketReader::Outcome::ping:
          (void)put(WebSocketOpcode::pong, reader_.payload());  // lost: it is asked again
          handler_->on_alive();
          break;
        case WebSocketReader::Outcome::pong:
          handler_->on_alive();
          break;
        case WebSocketReader::Outcome::close:
          return close("closed it with " + std::to_string(reader_.code()));
        case WebSocketReader::Outcome::broken:
          return close("sent what is no WebSocket");
      }
    }
  }

  void on_closed(const Error& error) override {
    stream_.reset();
    handler_->on_closed(error);
  }

  Result<void> put(WebSocketOpcode opcode, std::string_view payload) {
    std::array<std::uint8_t, 4> mask{};
    const std::uint64_t number = random_.next();
    for (std::size_t i = 0; i < mask.size(); ++i)
      mask[i] = static_cast<std::uint8_t>(number >> (8 * i));
    std::string frame;
    io::append_websocket_frame(frame, opcode, payload, &mask);
    return stream_->send(frame);
  }

  void close(const std::string& what) {
    stream_.reset();
    handler_->on_closed({ErrorCode::io, "WebSocket server " + remote_.to_string() + " " + what});
  }

  const SocketAddress remote_;
  Random& random_;
  io::StreamHandler* handler_;
  std::unique_ptr<io::StreamConnection> stream_;
  std::string head_;  // of the server's answer, until it is whole
  WebSocketReader reader_{false, message_bytes_max};
  bool* gone_ = nullptr;
  bool is_open_ = false;
};

}  // namespace

Result<std::unique_ptr<io::StreamConnection>> connect_websocket(io::Loop& loop,
                                                                const SocketAddress& remote,
                                                                Random& random,
                                                                io::StreamHandler& handler) {
  auto made = std::make_unique<WebSocketClient>(remote, random, handler);
  if (auto opened = made->open(loop); !opened) return std::move(opened).error();
  return std::unique_ptr<io::StreamConnection>(std::move(made));
}

}  // namespace tandem::sim
