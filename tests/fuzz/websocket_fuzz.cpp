// Bytes of a WebSocket client: the frames of one, and its request for a connection. No input may
// crash the readers, however it is cut, and the cut changes nothing of what is read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "http/websocket.hpp"
#include "io/hello_guard.hpp"
#include "io/websocket.hpp"

namespace {

using tandem::io::WebSocketReader;

constexpr std::size_t message_bytes_max = 2'000;

/// What a server would see, as text.
std::string frames(std::string_view bytes, std::size_t step, bool is_server) {
  WebSocketReader reader(is_server, message_bytes_max);
  std::string seen;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    for (bool is_read = false; !is_read;) {
      const auto outcome = reader.read(piece);
      switch (outcome) {
        case WebSocketReader::Outcome::more:
          if (!piece.empty()) std::abort();
          is_read = true;
          break;
        case WebSocketReader::Outcome::message:
          if (reader.payload().size() > message_bytes_max) std::abort();
          if (reader.is_text() && !tandem::io::is_utf8(reader.payload())) std::abort();
          seen += reader.is_text() ? "\ntext " : "\nbinary ";
          seen += reader.payload();
          break;
        case WebSocketReader::Outcome::ping:
        case WebSocketReader::Outcome::pong:
          if (reader.payload().size() > WebSocketReader::control_bytes_max) std::abort();
          seen += outcome == WebSocketReader::Outcome::ping ? "\nping " : "\npong ";
          seen += reader.payload();
          break;
        case WebSocketReader::Outcome::close:
          if (!tandem::io::is_utf8(reader.payload())) std::abort();
          return seen + "\nclose " + std::to_string(reader.code()) + std::string(reader.payload());
        case WebSocketReader::Outcome::broken:
          return seen + "\nbroken " + std::to_string(reader.code());
      }
    }
  }
  return seen;
}

void upgrade(std::string_view bytes) {
  tandem::http::RequestReader reader([](const tandem::http::Request&) { return std::size_t{0}; });
  if (!reader.append(bytes) || reader.read() != tandem::http::RequestReader::Outcome::complete)
    return;
  tandem::http::WebSocketRules rules;
  rules.protocol = "sip";
  const auto open = answer_upgrade(reader.request(), rules);
  rules.origins = {"https://phone.example"};
  const auto closed = answer_upgrade(reader.request(), rules);
  if (closed.is_accepted && !open.is_accepted) std::abort();
  for (const auto& answer : {open, closed}) {
    if (answer.is_accepted != answer.wire.starts_with("HTTP/1.1 101 ")) std::abort();
    if (answer.wire.find("\r\n\r\n") == std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const bool is_server : {true, false}) {
    if (frames(text, size + 1, is_server) != frames(text, 1 + size % 7, is_server)) std::abort();
  }
  upgrade(text);
  tandem::io::HelloGuard whole, cut;
  const bool is_admitted = whole.admit(text);
  bool is_cut_admitted = true;
  for (std::size_t i = 0; i < size; ++i)
    is_cut_admitted = cut.admit(text.substr(i, 1));
  if (is_admitted != is_cut_admitted) std::abort();
  return 0;
}
