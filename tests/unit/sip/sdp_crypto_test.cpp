// a=crypto lines (RFC 4568): what is read of them, and what is written.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sip/sdp_crypto.hpp"
#include "tandem/clock.hpp"

using namespace tandem;
using namespace tandem::sip;

namespace {

const std::string key_text = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";  // RFC 4568 section 6.1

std::vector<SdpCrypto> read(const std::string& lines) {
  const std::string text =
      "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
      "m=audio 4000 RTP/SAVP 0\r\n" +
      lines;
  const auto session = parse_sdp(text);
  REQUIRE(session);
  return sdp_cryptos(session->media[0]);
}

}  // namespace

TEST_CASE("Keys in SDP: a line is read and written back") {
  const std::string line = "a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:" + key_text;
  const auto read_back = read(line + "\r\n");
  REQUIRE(read_back.size() == 1);
  CHECK(read_back[0].tag == 7);
  CHECK(read_back[0].key.suite == SrtpSuite::aes_cm_128_hmac_sha1_80);
  CHECK(read_back[0].key.key == "YS___semctl () {\t220;}\n}\nunles");
  CHECK(sdp_crypto_line(read_back[0]) == line);
}

TEST_CASE("Keys in SDP: what is written can be read, in every suite and length") {
  SeededRandom random(3);
  for (const auto suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aes_cm_128_hmac_sha1_32,
                           SrtpSuite::aes_256_cm_hmac_sha1_80, SrtpSuite::aes_256_cm_hmac_sha1_32,
                           SrtpSuite::aead_aes_128_gcm, SrtpSuite::aead_aes_256_gcm}) {
    const SdpCrypto made{999999999, make_srtp_key(suite, random)};
    CHECK(made.key.key.size() == srtp_key_bytes(suite));
    CHECK(read(sdp_crypto_line(made)) == std::vector<SdpCrypto>{made});
  }
  const auto offer = make_srtp_offer(random);
  REQUIRE(offer.size() == 4);
  CHECK(offer[0].key.suite == SrtpSuite::aes_cm_128_hmac_sha1_80);
  for (std::size_t i = 0; i < offer.size(); ++i) {
    CHECK(offer[i].tag == i + 1);
    for (std::size_t k = 0; k < i; ++k)
      CHECK(offer[i].key.key.substr(0, 16) != offer[k].key.key.substr(0, 16));
  }
}

TEST_CASE("Keys in SDP: lines that cannot be used are passed over, others are not") {
  const std::string suite = " AES_CM_128_HMAC_SHA1_80 ";
  const std::string good = "inline:" + key_text;
  const struct {
    std::string line;
    bool is_used;
  } rows[] = {
      {"1" + suite + good, true},
      {"1" + suite + good + "|2^20", true},
      {"1" + suite + good + "|1048576", true},
      {"1" + suite + good + "|2^20|1:4", false},  // MKI
      {"1" + suite + good + "|1:4", false},
      {"1" + suite + good + "|", false},
      {"1" + suite + good + ";" + good, false},  // two keys
      {"1" + suite + good + " WSH=64", true},
      {"1" + suite + good + " UNENCRYPTED_SRTP", false},
      {"1" + suite + good + " UNENCRYPTED_SRTCP", false},
      {"1" + suite + good + " UNAUTHENTICATED_SRTP", false},
      {"1" + suite + good + " KDR=1", false},
      {"1 F8_128_HMAC_SHA1_80 " + good, false},
      {"1 AES_256_CM_HMAC_SHA1_80 " + good, false},  // too short a key
      {"1" + suite + good + "A", false},
      {"1" + suite + "inline:" + key_text.substr(4), false},
      {"1" + suite + "inline:!" + key_text.substr(1), false},
      {"1" + suite + "uri:" + key_text, false},
      {"x" + suite + good, false},
      {suite + good, false},
      {"1234567890" + suite + good, false},
      {"1" + suite, false},
      {"1", false},
      {"", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.line);
    CHECK(read("a=crypto:" + row.line + "\r\n").size() == (row.is_used ? 1 : 0));
    // Whatever it is, one that can be used behind it is.
    CHECK(read("a=crypto:" + row.line + "\r\na=crypto:9" + suite + good + "\r\n").back().tag == 9);
  }
}

TEST_CASE("Keys in SDP: of many lines some are read") {
  std::string lines;
  for (int i = 0; i < 100; ++i)
    lines += "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key_text + "\r\n";
  CHECK(read(lines).size() == sdp_cryptos_max);
}

TEST_CASE("Keys in SDP: profiles with and without security") {
  CHECK(with_security("RTP/AVP", true) == "RTP/SAVP");
  CHECK(with_security("RTP/SAVPF", false) == "RTP/AVPF");
  CHECK(with_security("RTP/AVPF", false) == "RTP/AVPF");
  CHECK(with_security("udptl", true) == "udptl");
  CHECK_FALSE(can_have_sdes("UDP/TLS/RTP/SAVPF"));
  CHECK(is_secure_profile("RTP/SAVPF"));
  CHECK_FALSE(is_secure_profile("RTP/AVP"));
}

TEST_CASE("Keys in SDP: no message about a description tells a key") {
  const std::string line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key_text;
  const auto session = parse_sdp("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n" + line +
                                 std::string(1, '\0') + "\r\n");
  REQUIRE_FALSE(session);
  CHECK(session.error().message.find(key_text) == std::string::npos);
}
