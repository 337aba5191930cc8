#include "trace/redact.hpp"

#include <doctest/doctest.h>

#include <string>

using tandem::trace::redact;

namespace {

std::string redacted(std::string message) {
  const std::size_t size = message.size();
  redact(message);
  CHECK(message.size() == size);
  return message;
}

const std::string head = "INVITE sip:1@192.0.2.1 SIP/2.0\r\n";

}  // namespace

TEST_CASE("redact: what proves who somebody is goes, what a fault is looked for by stays") {
  const std::string text = redacted(
      head +
      "Authorization: Digest username=\"alice\", realm=\"a, b\", nonce=\"n\", uri=\"sip:1\",\r\n"
      " response=\"0123abcd\", cnonce=\"c0\\\"x\", nc=00000001, qop=auth, algorithm=MD5\r\n"
      "proxy-AUTHORIZATION : Digest response=0123abcd,username=\"bob\"\r\n"
      "Call-ID: response=\"0123abcd\"\r\n\r\n");
  CHECK(text.find("username=\"alice\", realm=\"a, b\", nonce=\"n\", uri=\"sip:1\"") !=
        std::string::npos);
  CHECK(text.find(" response=\"********\", cnonce=\"*****\", nc=00000001, qop=auth") !=
        std::string::npos);
  CHECK(text.find("Digest response=********,username=\"bob\"") != std::string::npos);
  CHECK(text.find("Call-ID: response=\"0123abcd\"") != std::string::npos);
}

TEST_CASE("redact: of other schemes, and of what is no parameter, nothing stays") {
  const std::string text = redacted(head +
                                    "Authorization: Basic dXNlcjpwYXNz\r\n"
                                    "Proxy-Authorization: Digest geheim, username=\"x\r\n\r\n");
  CHECK(text.find("Basic ************\r\n") != std::string::npos);
  CHECK(text.find("geheim") == std::string::npos);
}

TEST_CASE("redact: keys of SDP go, the rest of the body stays") {
  const std::string text =
      redacted(head +
               "Content-Type: application/sdp\r\n\r\n"
               "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4 inline:eHk=\r\n"
               "a=ice-pwd:geheim\r\nk=clear:word\r\na=fingerprint:sha-256 AB\r\n");
  CHECK(text.find("inline:********|2^20|1:4 inline:****\r\n") != std::string::npos);
  CHECK(text.find("a=ice-pwd:******\r\nk=**********\r\na=fingerprint:sha-256 AB\r\n") !=
        std::string::npos);
}

TEST_CASE("redact: whatever stands there is not read beyond its end") {
  for (const char* text :
       {"", "\r\n", "Authorization", "Authorization:", "Authorization: Digest",
        "x\nAuthorization: Digest response=\"a\\", "x\nAuthorization: Digest a=", "x\n\na=crypto:",
        "x\nAuthorization: Digest response=\r\n", "x\nAuthorization:\n ", "x\n\nk="}) {
    CAPTURE(text);
    (void)redacted(text);
  }
}
