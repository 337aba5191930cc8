// Fingerprints as descriptions have them (RFC 8122).
#include "tandem/dtls.hpp"

#include <doctest/doctest.h>

using namespace tandem;

TEST_CASE("DtlsFingerprint: what is read is written the same, case aside") {
  const std::string text = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";
  const auto read = DtlsFingerprint::parse(text);
  REQUIRE(read);
  CHECK(read->hash == "sha-1");
  CHECK(read->digest.size() == 20);
  CHECK(read->to_string() == text);
  const auto other =
      DtlsFingerprint::parse("SHA-1 4a:ad:b9:b1:3f:82:18:3b:54:02:12:df:3e:5d:49:6b:19:e5:7c:ab");
  REQUIRE(other);
  CHECK(*other == *read);
}

TEST_CASE("DtlsFingerprint: another hash, another length and what is no hexadecimal are refused") {
  const auto code = [](const char* text) { return DtlsFingerprint::parse(text).error().code; };
  CHECK(code("md5 00") == ErrorCode::unsupported);
  CHECK(code("") == ErrorCode::unsupported);
  CHECK(code("sha-1") == ErrorCode::invalid_argument);
  CHECK(code("sha-1 4A:AD") == ErrorCode::invalid_argument);
  CHECK(code("sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AX") ==
        ErrorCode::invalid_argument);
  CHECK(code("sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C AB") ==
        ErrorCode::invalid_argument);
}
