#include "http/websocket.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "base/timer_wheel.hpp"
#include "http/syntax.hpp"
#include "io/websocket.hpp"

namespace tandem::http {
namespace {

using io::WebSocketCode;
using io::WebSocketOpcode;
using io::WebSocketReader;

constexpr std::size_t frame_head_bytes_max = 10;  // of a server

/// Calls `visit` with each value of a header that is a list, over all lines of that name, until it
/// says true.
template <class Visit>
bool any_element(const Request& request, std::string_view lower_case_name, Visit visit) {
  for (const auto& [name, value] : request.headers) {
    if (name != lower_case_name) continue;
    std::string_view list = value;
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      if (visit(trimmed(list.substr(0, comma)))) return true;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  }
  return false;
}

bool lists(const Request& request, std::string_view lower_case_name, std::string_view wanted) {
  return any_element(request, lower_case_name,
                     [wanted](std::string_view one) { return equals_ignoring_case(one, wanted); });
}

/// The value of a header that is there once; null: it is not, or more than once.
const std::string* only(const Request& request, std::string_view lower_case_name) {
  const std::string* found = nullptr;
  for (const auto& [name, value] : request.headers) {
    if (name != lower_case_name) continue;
    if (found != nullptr) return nullptr;
    found = &value;
  }
  return found;
}

WebSocketAnswer refused(int status, const std::string& text,
                        std::vector<std::pair<std::string, std::string>> headers = {}) {
  return {false, to_wire({status, "text/plain", text + "\n", std::move(headers)}, false, false)};
}

}  // namespace

bool is_origin(std::string_view text) noexcept {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || !is_token(text.substr(0, end))) return false;
  const std::string_view host = text.substr(end + 3);
  constexpr std::size_t host_chars_max = 262;  // a domain, and a port
  return !host.empty() && host.size() <= host_chars_max &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return c == '.' || c == '-' || c == ':' || c == '[' || c == ']' ||
                  (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
         });
}

WebSocketAnswer answer_upgrade(const Request& request, const WebSocketRules& rules) {
  if (!lists(request, "upgrade", "websocket")) {
    return refused(426, "this is a WebSocket for " + rules.protocol,
                   {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}});
  }
  // RFC 6455 section 4.2.1. A reader of HTTP/1.0 keeps no connection.
  if (request.method != "GET" || !request.keeps_alive || !lists(request, "connection", "upgrade"))
    return refused(400, "a WebSocket begins with a GET that wants to upgrade its connection");
  const std::string* const version = only(request, "sec-websocket-version");
  if (version == nullptr || *version != "13")
    return refused(426, "only version 13 is spoken", {{"Sec-WebSocket-Version", "13"}});
  const std::string* const key = only(request, "sec-websocket-key");
  if (key == nullptr || !io::is_websocket_key(*key))
    return refused(400, "Sec-WebSocket-Key is not one of 16 bytes");
  if (!rules.origins.empty()) {
    const std::string* const origin = only(request, "origin");
    const bool is_welcome =
        origin != nullptr &&
        std::any_of(rules.origins.begin(), rules.origins.end(),
                    [&](const std::string& one) { return equals_ignoring_case(one, *origin); });
    if (!is_welcome) return refused(403, "pages from there may not connect");
  }
  if (!any_element(request, "sec-websocket-protocol",
                   [&](std::string_view one) { return one == rules.protocol; })) {
    return refused(400, "Sec-WebSocket-Protocol does not offer " + rules.protocol);
  }
  const std::string accept = io::websocket_accept(*key);
  if (accept.empty()) return refused(503, "no memory");
  return {true,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: " +
              accept + "\r\nSec-WebSocket-Protocol: " + rules.protocol + "\r\n\r\n"};
}

namespace {

/// One connection. What it kept for the handshake is gone behind it.
class WebSocketStream final : public io::StreamConnection, private io::StreamHandler {
 public:
  WebSocketStream(io::Loop& loop, std::unique_ptr<io::StreamConnection> stream,
                  const WebSocketRules& rules)
      : loop_(loop),
        rules_(rules),
        remote_(stream->remote()),
        stream_(std::move(stream)),
        requests_(std::make_unique<RequestReader>([](const Request&) { return std::size_t{0}; })),
        reader_(true, rules.message_bytes_max),
        ping_(Timer::member<&WebSocketStream::on_ping, WebSocketStream>(), this),
        failed_(Timer::member<&WebSocketStream::fail, WebSocketStream>(), this) {}
  ~WebSocketStream() override {
    *is_gone_ = true;
    if (!is_open_ || is_closed_ || is_failed_) return;
    // Lost: then the end of the stream says it.
    (void)put(WebSocketOpcode::close, websocket_close_payload(WebSocketCode::going_away));
  }

  void set_handler(io::StreamHandler& handler) noexcept override {
    const bool is_first = handler_ == nullptr;
    handler_ = &handler;
    if (is_first && stream_ != nullptr) stream_->set_handler(*this);
  }
  [[nodiscard]] SocketAddress local() const noexcept override {
    return stream_ != nullptr ? stream_->local() : SocketAddress{};
  }
  [[nodiscard]] SocketAddress remote() const noexcept override { return remote_; }
  [[nodiscard]] std::size_t room_bytes() const noexcept override {
    const std::size_t room = stream_ != nullptr ? stream_->room_bytes() : 0;
    return room - std::min(room, frame_head_bytes_max);
  }
  void set_tos(int tos) noexcept override {
    if (stream_ != nullptr) stream_->set_tos(tos);
  }
  [[nodiscard]] io::StreamFault fault() const noexcept override { return fault_; }
  [[nodiscard]] const io::StreamConnection* carrier() const noexcept override {
    return stream_.get();
  }

  Result<void> send(std::string_view message) override {
    if (!is_open_ || is_closed_ || is_failed_) {
      return Error{ErrorCode::wrong_state,
                   "WebSocket connection with " + remote_.to_string() + " was not open"};
    }
    if (message.size() > room_bytes()) {
      return Error{ErrorCode::limit, "WebSocket connection with " + remote_.to_string() +
                                         " had too many bytes queued"};
    }
    if (!put(io::is_utf8(message) ? WebSocketOpcode::text : WebSocketOpcode::binary, message)) {
      is_failed_ = true;
      loop_.timers().start(failed_, 0);  // an event must not come from inside the owner's own call
    }
    return {};
  }

 private:
  void on_bytes(std::string_view bytes) override {
    if (is_closed_ || is_failed_) return;
    was_heard_ = true;
    if (!is_open_) return shake_hands(bytes);
    const std::shared_ptr<const bool> is_gone = is_gone_;  // a handler may destroy the object
    while (!*is_gone && !is_closed_ && !is_failed_) {
      switch (reader_.read(bytes)) {
        case WebSocketReader::Outcome::more:
          return;
        case WebSocketReader::Outcome::message:
          handler_->on_bytes(reader_.payload());
          break;
        case WebSocketReader::Outcome::ping:
          if (!put(WebSocketOpcode::pong, reader_.payload()))
            return close(error_of("did not take what was sent"));
          handler_->on_alive();
          break;
        case WebSocketReader::Outcome::pong:
          handler_->on_alive();
          break;
        case WebSocketReader::Outcome::close: {
          const auto code = reader_.code();
          // Lost: then the end of the stream says it.
          (void)put(WebSocketOpcode::close, websocket_close_payload(WebSocketCode::normal));
          return close(error_of("was closed by the peer with " + std::to_string(code)));
        }
        case WebSocketReader::Outcome::broken: {
          const auto code = reader_.code();
          (void)put(WebSocketOpcode::close,
                    websocket_close_payload(static_cast<WebSocketCode>(code)));
          fault_ = io::StreamFault::protocol;
          return close(error_of("was closed for what the peer sent, with " + std::to_string(code)));
        }
      }
    }
  }

  void shake_hands(std::string_view bytes) {
    // A client that sends on before it is answered is none of this protocol (section 4.1).
    const bool is_taken = requests_->append(bytes);
    const auto outcome = is_taken ? requests_->read() : RequestReader::Outcome::refused;
    if (outcome == RequestReader::Outcome::incomplete) return;
    WebSocketAnswer answer;
    if (outcome == RequestReader::Outcome::complete) {
      answer = answer_upgrade(requests_->request(), rules_);
      requests_->take();
      if (answer.is_accepted && !requests_->is_idle())
        answer = refused(400, "something followed the request");
    } else {
      answer = is_taken ? refused(requests_->status() == 0 ? 400 : requests_->status(),
                                  requests_->reason())
                        : refused(400, "too much was sent");
    }
    const bool is_sent = stream_->send(answer.wire).ok();
    if (!answer.is_accepted || !is_sent) {
      fault_ = io::StreamFault::protocol;
      const std::string line = answer.wire.substr(0, answer.wire.find('\r'));
      return close(error_of(is_sent ? "was refused: " + line : "did not take what was sent"));
    }
    requests_.reset();
    is_open_ = true;
    was_heard_ = false;
    loop_.timers().start(ping_, rules_.ping_us);
    handler_->on_connected();
  }

  void on_closed(const Error& error) override {
    if (is_closed_) return;
    fault_ = stream_->fault();
    close(is_open_ ? error : Error{error.code, error.message + " before it was a WebSocket"});
  }

  void on_ping() {
    if (is_closed_ || is_failed_) return;
    if (!std::exchange(was_heard_, false) && !put(WebSocketOpcode::ping, {}))
      return close(error_of("did not take what was sent"));
    loop_.timers().start(ping_, rules_.ping_us);
  }

  void fail() { close(error_of("did not take what was sent")); }

  /// False: the stream below does not take it.
  bool put(WebSocketOpcode opcode, std::string_view payload) {
    std::string frame;
    frame.reserve(payload.size() + frame_head_bytes_max);
    append_websocket_frame(frame, opcode, payload);
    return stream_ != nullptr && stream_->send(frame).ok();
  }

  [[nodiscard]] Error error_of(const std::string& what) const {
    return {ErrorCode::io, "WebSocket connection with " + remote_.to_string() + " " + what};
  }

  void close(const Error& error) {
    is_closed_ = true;
    ping_.cancel();
    failed_.cancel();
    stream_.reset();
    handler_->on_closed(error);
  }

  io::Loop& loop_;
  const WebSocketRules& rules_;
  const SocketAddress remote_;
  std::unique_ptr<io::StreamConnection> stream_;
  std::unique_ptr<RequestReader> requests_;  // until the handshake is over
  WebSocketReader reader_;
  io::StreamHandler* handler_ = nullptr;
  Timer ping_, failed_;
  io::StreamFault fault_ = io::StreamFault::none;
  const std::shared_ptr<bool> is_gone_ = std::make_shared<bool>(false);
  bool is_open_ = false;    // the handshake is over
  bool was_heard_ = false;  // since the last ping was thought of
  bool is_failed_ = false;
  bool is_closed_ = false;
};

}  // namespace

std::unique_ptr<io::StreamConnection> accept_websocket(io::Loop& loop,
                                                       std::unique_ptr<io::StreamConnection> stream,
                                                       const WebSocketRules& rules) {
  return std::make_unique<WebSocketStream>(loop, std::move(stream), rules);
}

}  // namespace tandem::http
