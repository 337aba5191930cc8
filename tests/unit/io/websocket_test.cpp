// Frames of WebSocket: what passes, whatever the segments are, and what does not.
#include "io/websocket.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/websocket.hpp"
#include "tandem/clock.hpp"

using namespace tandem;
using namespace tandem::io;
using namespace tandem::test;

namespace {

/// What a server makes of the bytes, cut into pieces: "text hello; ping x; broken 1002".
std::string heard(std::string_view bytes, std::size_t step = 0, std::size_t bytes_max = 1000) {
  WebSocketReader reader(true, bytes_max);
  std::string seen;
  const auto note = [&](const std::string& what) {
    if (!seen.empty()) seen += "; ";
    seen += what;
  };
  if (step == 0) step = bytes.size() + 1;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    for (bool is_read = false; !is_read;) {
      switch (reader.read(piece)) {
        case WebSocketReader::Outcome::more:
          CHECK(piece.empty());
          is_read = true;
          break;
        case WebSocketReader::Outcome::message:
          note((reader.is_text() ? "text " : "binary ") + std::string(reader.payload()));
          break;
        case WebSocketReader::Outcome::ping:
          note("ping " + std::string(reader.payload()));
          break;
        case WebSocketReader::Outcome::pong:
          note("pong " + std::string(reader.payload()));
          break;
        case WebSocketReader::Outcome::close:
          note("close " + std::to_string(reader.code()) + " " + std::string(reader.payload()));
          return seen;
        case WebSocketReader::Outcome::broken:
          note("broken " + std::to_string(reader.code()));
          return seen;
      }
    }
  }
  return seen;
}

std::string close_frame(unsigned code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return websocket_frame(0x88, payload + std::string(reason));
}

}  // namespace

TEST_CASE("WebSocketReader: the examples of RFC 6455 section 5.7 (P-01)") {
  CHECK(heard("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == "text Hello");
  CHECK(heard("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == "ping Hello");
  CHECK(heard("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == "pong Hello");
  std::string frame;
  append_websocket_frame(frame, WebSocketOpcode::text, "Hello");
  CHECK(frame == "\x81\x05Hello");
  frame.clear();
  append_websocket_frame(frame, WebSocketOpcode::binary, std::string(256, 'x'));
  CHECK(frame.substr(0, 4) == std::string("\x82\x7e\x01\x00", 4));
  frame.clear();
  append_websocket_frame(frame, WebSocketOpcode::binary, std::string(65'536, 'x'));
  CHECK(frame.substr(0, 10) == std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
}

TEST_CASE("WebSocketReader: parts make one message, with control frames between them (P-01)") {
  const std::string bytes = websocket_frame(0x01, "ab") + websocket_frame(0x89, "?") +
                            websocket_frame(0x00, "") + websocket_frame(0x80, "cd") +
                            websocket_frame(0x82, "") + websocket_frame(0x8a, "!") +
                            websocket_text("e") + close_frame(1000, "bye");
  for (std::size_t step = 0; step < 12; ++step) {
    CAPTURE(step);
    CHECK(heard(bytes, step) == "ping ?; text abcd; binary ; pong !; text e; close 1000 bye");
  }
}

TEST_CASE("WebSocketReader: what is against the protocol is refused (P-01)") {
  struct Row {
    const char* what;
    std::string bytes;
    const char* seen;
  };
  const auto raw = [](std::initializer_list<int> list) {
    std::string text;
    for (const int byte : list)
      text += static_cast<char>(byte);
    return text;
  };
  const std::string mask(4, '\0');
  const Row rows[] = {
      {"a frame that is not masked", raw({0x81, 0x01, 'a'}), "broken 1002"},
      {"an extension's bit", websocket_frame(0xc1, "a"), "broken 1002"},
      {"an unknown opcode", websocket_frame(0x83, "a"), "broken 1002"},
      {"an unknown control opcode", websocket_frame(0x8b, "a"), "broken 1002"},
      {"a control frame in parts", websocket_frame(0x09, "a"), "broken 1002"},
      {"a long control frame", websocket_frame(0x89, std::string(126, 'a')), "broken 1002"},
      {"a part without a beginning", websocket_frame(0x80, "a"), "broken 1002"},
      {"a message within another", websocket_frame(0x01, "a") + websocket_text("b"), "broken 1002"},
      {"a length that had room in one byte", raw({0x81, 0xfe, 0, 125}) + mask, "broken 1002"},
      {"a length that had room in two", raw({0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) + mask,
       "broken 1002"},
      {"more than one message may have", raw({0x81, 0xfe, 0x03, 0xe9}) + mask, "broken 1009"},
      {"nearly 2^64", raw({0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255}) + mask,
       "broken 1009"},
      {"too much in parts",
       websocket_frame(0x01, std::string(600, 'a')) + websocket_frame(0x80, std::string(401, 'a')),
       "broken 1009"},
      {"text that is none", websocket_text("a\xff"), "broken 1007"},
      {"text that ends too soon", websocket_text("a\xc3"), "broken 1007"},
      {"a reason that is no text", close_frame(1000, "\xff"), "broken 1007"},
      {"half a code", websocket_frame(0x88, "\x03"), "broken 1002"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    for (std::size_t step = 0; step < 5; ++step)
      CHECK(heard(row.bytes + websocket_text("behind it"), step) == row.seen);
  }
  CHECK(heard(websocket_frame(0x01, "a\xc3") + websocket_frame(0x80, "\xa4")) == "text a\xc3\xa4");
  CHECK(heard(websocket_frame(0x82, "\xff")) == "binary \xff");
  CHECK(heard(websocket_frame(0x82, std::string(1000, 'a'))) == "binary " + std::string(1000, 'a'));
}

TEST_CASE("WebSocketReader: codes that a close may carry, and none (P-01)") {
  CHECK(heard(websocket_frame(0x88, "")) == "close 1005 ");
  for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1011U, 3000U, 4999U})
    CHECK(heard(close_frame(code)) == "close " + std::to_string(code) + " ");
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 2999U, 5000U, 65'535U})
    CHECK(heard(close_frame(code)) == "broken 1002");
}

TEST_CASE("WebSocketReader: a client of it takes no masked frames, and reads plain ones (P-01)") {
  WebSocketReader reader(false, 1000);
  std::string frame;
  append_websocket_frame(frame, WebSocketOpcode::text, std::string(300, 'x'));
  std::string_view bytes = frame;
  CHECK(reader.read(bytes) == WebSocketReader::Outcome::message);
  CHECK(reader.payload() == std::string(300, 'x'));
  const std::string masked = websocket_text("a");
  bytes = masked;
  CHECK(reader.read(bytes) == WebSocketReader::Outcome::broken);
}

TEST_CASE("WebSocketReader: any messages come out as they went in, however cut (P-01)") {
  SeededRandom random(11);
  for (int round = 0; round < 200; ++round) {
    std::string bytes, expected;
    for (std::uint64_t messages = random.below(4) + 1; messages > 0; --messages) {
      std::string whole;
      for (std::uint64_t parts = random.below(3) + 1, part = 0; part < parts; ++part) {
        std::string text;
        for (std::uint64_t chars = random.below(200); chars > 0; --chars)
          text += static_cast<char>('a' + random.below(26));
        whole += text;
        const unsigned first = (part == 0 ? 1U : 0U) | (part + 1 == parts ? 0x80U : 0U);
        bytes += websocket_frame(first, text);
      }
      expected += (expected.empty() ? "text " : "; text ") + whole;
    }
    CHECK(heard(bytes, random.below(40)) == expected);
  }
}

TEST_CASE("is_utf8: characters, and what only looks like them (RFC 3629)") {
  for (const char* good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(io::is_utf8(good));
  }
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff"}) {
    CHECK_FALSE(io::is_utf8(bad));
  }
}

TEST_CASE("websocket_accept: the example of RFC 6455 section 1.3, and what is a key (P-01)") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
  for (const char* bad :
       {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZR==",
        "dGhlIHNhbXBsZSBub25j*Q==", "dGhlIHNhbXBsZSBub25jZQ==="}) {
    CHECK_FALSE(is_websocket_key(bad));
  }
}
