// What a TLS peer may claim before anything is agreed on.
#include "io/hello_guard.hpp"

#include <doctest/doctest.h>

#include <string>

using tandem::io::HelloGuard;

namespace {

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i)
    text += static_cast<char>(value >> (8 * i));
  return text;
}
std::string record(char type, const std::string& content) {
  return std::string(1, type) + "\x03\x01" + number(content.size(), 2) + content;
}
std::string message(char type, std::size_t claimed_bytes, std::size_t bytes) {
  return std::string(1, type) + number(claimed_bytes, 3) + std::string(bytes, 'x');
}
constexpr char handshake = 22, alert = 21, change_cipher = 20, application = 23, hello = 1;

/// Fed in pieces of every size up to 12.
bool is_admitted(const std::string& bytes) {
  const HelloGuard fresh;
  HelloGuard whole = fresh;
  const bool expected = whole.admit(bytes);
  for (std::size_t step = 1; step <= 12; ++step) {
    HelloGuard guard;
    bool is_good = true;
    for (std::size_t i = 0; i < bytes.size(); i += step)
      is_good = guard.admit(bytes.substr(i, step)) && is_good;
    CHECK(is_good == expected);
    CHECK(guard.has_hello() == whole.has_hello());
  }
  return expected;
}

}  // namespace

TEST_CASE("HelloGuard: one of any usual size passes, in one record or several (P-01)") {
  CHECK(is_admitted(record(handshake, message(hello, 300, 300))));
  CHECK(is_admitted(record(handshake, message(hello, 16'380, 16'380))));
  CHECK(is_admitted(record(handshake, message(hello, 1'000, 400)) +
                    record(handshake, std::string(600, 'x'))));
  HelloGuard guard;
  CHECK(guard.admit(record(handshake, message(hello, 1'000, 400))));
  CHECK_FALSE(guard.has_hello());
  const std::string rest = record(handshake, std::string(600, 'x'));
  CHECK(guard.admit(rest.substr(0, 604)));
  CHECK_FALSE(guard.has_hello());
  CHECK(guard.admit(rest.substr(604)));
  CHECK(guard.has_hello());
}

TEST_CASE("HelloGuard: what claims more is refused as soon as it claims it (S-14)") {
  CHECK(is_admitted(record(handshake, message(hello, 16'384, 100))));
  CHECK_FALSE(is_admitted(record(handshake, message(hello, 16'385, 0))));
  CHECK_FALSE(is_admitted(record(handshake, message(hello, 131'072, 0))));
  // The same as a second one, which TLS 1.3 may ask for.
  CHECK(is_admitted(record(handshake, message(hello, 300, 300)) + record(change_cipher, "\x01") +
                    record(handshake, message(hello, 300, 300))));
  CHECK_FALSE(is_admitted(record(handshake, message(hello, 300, 300)) +
                          record(change_cipher, "\x01") +
                          record(handshake, message(hello, 131'072, 0))));
}

TEST_CASE("HelloGuard: a header is not hidden in pieces (S-14)") {
  CHECK_FALSE(is_admitted(record(handshake, "\x01")));
  CHECK_FALSE(is_admitted(record(handshake, "")));
  CHECK_FALSE(
      is_admitted(record(handshake, message(hello, 300, 300) + message(hello, 131'072, 0))));
  CHECK_FALSE(is_admitted(record(handshake, message(hello, 300, 100)) +
                          record(handshake, std::string(200, 'x') + message(hello, 131'072, 0))));
  // A hello of SSL 2 has its length in the first two bytes.
  CHECK_FALSE(is_admitted("\x80\x2e\x01\x03\x01" + std::string(60, 'x')));
}

TEST_CASE("HelloGuard: other records pass, and early data hides no second hello (P-01, S-14)") {
  CHECK(is_admitted(record(alert, "\x02\x28")));
  CHECK(is_admitted(record(handshake, message(hello, 300, 300)) +
                    record(application, std::string("\x01\x02\x00\x00", 4)) +
                    record(handshake, message(hello, 300, 300))));
  CHECK_FALSE(is_admitted(record(handshake, message(hello, 300, 300)) +
                          record(application, std::string("\x01\x02\x00\x00", 4)) +
                          record(handshake, message(hello, 131'072, 0))));
  HelloGuard guard;
  guard.turn_off();
  CHECK(guard.admit(record(handshake, message(hello, 131'072, 0))));
}
