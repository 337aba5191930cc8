#include <doctest/doctest.h>

#include <string>

#include "sip/digest.hpp"

using namespace tandem;
using namespace tandem::sip;

namespace {

constexpr std::int64_t now_us = 5'000'000;

struct Server {
  SeededRandom random{3};
  DigestServer digest{DigestServer::make_secret(random)};

  std::string challenge(DigestAlgorithm algorithm = DigestAlgorithm::md5,
                        const char* binding = "192.0.2.1") const {
    return digest.challenge("tandem", binding, now_us, false, algorithm);
  }
  DigestVerdict verify(const std::string& authorization, std::int64_t at_us = now_us,
                       const char* uri = "sip:4420@h", const char* method = "INVITE",
                       const char* binding = "192.0.2.1", const char* password = "secret") const {
    DigestServer::Request request;
    request.authorization = authorization;
    request.method = method;
    request.uri = uri;
    request.binding = binding;
    request.now_us = at_us;
    return digest.verify(request, "al\"ice", password, "tandem");
  }
  std::string answer(const std::string& challenge_value, const char* username = "al\"ice",
                     const char* password = "secret") {
    const Result<DigestAnswer> made =
        answer_challenge(challenge_value, username, password, "INVITE", "sip:4420@h", 1, random);
    return made.ok() ? made->value : "error: " + made.error().message;
  }
};

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("digest_response: gives the values that RFC 2617 and RFC 7616 print") {
  CHECK(digest_response(DigestAlgorithm::md5, "Mufasa", "testrealm@host.com", "Circle Of Life",
                        "GET", "/dir/index.html", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001",
                        "0a4f113b", "auth") == "6629fae49393a05397450978507c4ef1");
  CHECK(digest_response(DigestAlgorithm::md5, "Mufasa", "http-auth@example.org", "Circle of Life",
                        "GET", "/dir/index.html", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                        "00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                        "auth") == "8ca523f5e9506fed4657c9700eebdbec");
  CHECK(digest_response(DigestAlgorithm::sha256, "Mufasa", "http-auth@example.org",
                        "Circle of Life", "GET", "/dir/index.html",
                        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
                        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth") ==
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
  CHECK(digest_hex(DigestAlgorithm::md5, "") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(digest_hex(DigestAlgorithm::sha256, "abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE(
    "DigestServer: the right password is verified with either algorithm, a wrong one is not") {
  Server server;
  for (const DigestAlgorithm algorithm : {DigestAlgorithm::md5, DigestAlgorithm::sha256}) {
    const std::string answer = server.answer(server.challenge(algorithm));
    CAPTURE(answer);
    CHECK(server.verify(answer) == DigestVerdict::verified);
    CHECK(server.verify(answer, now_us, "sip:4420@h", "INVITE", "192.0.2.1", "other") ==
          DigestVerdict::wrong);
    CHECK(server.verify(server.answer(server.challenge(algorithm), "bob")) == DigestVerdict::wrong);
    CHECK(server.verify(server.answer(server.challenge(algorithm), "al\"ice", "x")) ==
          DigestVerdict::wrong);
  }
}

TEST_CASE("DigestServer: credentials hold for their method, called user and source only") {
  Server server;
  const std::string answer = server.answer(server.challenge());
  CHECK(server.verify(answer, now_us, "sip:4420@other:5080;transport=udp") ==
        DigestVerdict::verified);
  CHECK(server.verify(answer, now_us, "sip:9999@h") == DigestVerdict::wrong);
  CHECK(server.verify(answer, now_us, "sip:4420@h", "BYE") == DigestVerdict::wrong);
  CHECK(server.verify(answer, now_us, "sip:4420@h", "INVITE", "192.0.2.2") ==
        DigestVerdict::challenge);
}

TEST_CASE(
    "DigestServer: a nonce lasts 300 seconds, then it is stale; a foreign one is challenged") {
  Server server;
  const std::string answer = server.answer(server.challenge());
  CHECK(server.verify(answer, now_us + 300'000'000) == DigestVerdict::verified);
  CHECK(server.verify(answer, now_us + 300'000'001) == DigestVerdict::stale);
  CHECK(server.verify(answer, now_us - 1) == DigestVerdict::stale);
  // Stale is said only to who knows the password; others would learn that a user exists.
  CHECK(server.verify(server.answer(server.challenge(), "bob"), now_us + 400'000'000) ==
        DigestVerdict::wrong);
  SeededRandom other_seed(4);
  const DigestServer other(DigestServer::make_secret(other_seed));
  CHECK(server.verify(server.answer(
            other.challenge("tandem", "192.0.2.1", now_us, false, DigestAlgorithm::md5))) ==
        DigestVerdict::challenge);
  CHECK(server.verify(server.answer(
            server.digest.challenge("realm2", "192.0.2.1", now_us, false, DigestAlgorithm::md5))) ==
        DigestVerdict::challenge);
  CHECK(server.digest.challenge("tandem", "b", now_us, true, DigestAlgorithm::md5)
            .find("stale=true") != std::string::npos);
}

TEST_CASE("DigestServer: what is not a usable Digest value is challenged") {
  Server server;
  const std::string answer = server.answer(server.challenge());
  CHECK(server.verify("") == DigestVerdict::challenge);
  CHECK(server.verify("NoOneKnowsThisScheme opaque-data=here") == DigestVerdict::challenge);
  CHECK(server.verify(replaced(answer, "qop=auth", "qop=auth-int")) == DigestVerdict::challenge);
  CHECK(server.verify(replaced(answer, "algorithm=MD5", "algorithm=MD5-sess")) ==
        DigestVerdict::challenge);
  CHECK(server.verify(replaced(answer, ", nc=00000001", "")) == DigestVerdict::challenge);
  CHECK(server.verify(replaced(answer, "nonce=\"0", "nonce=\"1")) == DigestVerdict::challenge);
  CHECK(server.verify(replaced(answer, "nonce=\"0", "nonce=\"x")) == DigestVerdict::challenge);
  CHECK(server.verify(answer + ", nc=00000002") == DigestVerdict::challenge);
  CHECK(server.verify(replaced(answer, "nc=00000001", "nc=00000002")) == DigestVerdict::wrong);
}

TEST_CASE("DigestServer: the form without qop still works (RFC 3261 section 22.4)") {
  Server server;
  const std::string challenge = replaced(server.challenge(), ", qop=\"auth\"", "");
  const std::string answer = server.answer(challenge);
  CHECK(answer.find("cnonce") == std::string::npos);
  CHECK(server.verify(answer) == DigestVerdict::verified);
}

TEST_CASE("parse_digest: quotes, escapes, commas, folds and spaces of RFC 3261 section 25.1") {
  const Result<DigestValue> value = parse_digest(
      " dIgEsT  username = \"a\\\"b,c=d\" ,realm=\"r\",\r\n\tNONCE=\"n\", uri=\"sip:x;y=z,w\", "
      "qop=auth,nc=1, unknown=\"x,y\","
      " algorithm=sha-256, stale=TRUE ,opaque=\"\"");
  REQUIRE(value.ok());
  CHECK(value->username == "a\"b,c=d");
  CHECK(value->realm == "r");
  CHECK(value->nonce == "n");
  CHECK(value->uri == "sip:x;y=z,w");
  CHECK(value->qop == "auth");
  CHECK(value->algorithm == DigestAlgorithm::sha256);
  CHECK(value->has_known_algorithm);
  CHECK(value->is_stale);
  CHECK(parse_digest("Basic x").error().code == ErrorCode::unsupported);
  for (const char* bad : {"Digest", "Digest ", "Digest realm", "Digest realm=", "Digest realm=\"x",
                          "Digest realm=\"x\\", "Digest realm=\"x\" nonce=\"y\"",
                          "Digest realm=\"x\",", "Digest realm=\"x\",realm=\"y\"", "Digest =x",
                          "Digest realm=\"a\r\n b\"", "Digest opaque=\"x\""}) {
    CAPTURE(bad);
    const Result<DigestValue> refused = parse_digest(bad);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code == ErrorCode::invalid_argument);
  }
  CHECK(!parse_digest("Digest realm=\"" + std::string(5000, 'x') + "\"").ok());
}

TEST_CASE("answer_challenge: answers what it can and refuses the rest") {
  SeededRandom random(1);
  const auto answer = [&random](const char* challenge, const char* username = "u") {
    return answer_challenge(challenge, username, "p", "REGISTER", "sip:h", 2, random);
  };
  const Result<DigestAnswer> good =
      answer("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int,auth\", opaque=\"o\", stale=true");
  REQUIRE(good.ok());
  CHECK(good->is_stale);
  CHECK(good->value.find("nc=00000002") != std::string::npos);
  CHECK(good->value.find("opaque=\"o\"") != std::string::npos);
  CHECK(good->value.find("qop=auth,") != std::string::npos);
  CHECK(answer("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256").error().code ==
        ErrorCode::unsupported);
  CHECK(answer("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"").error().code ==
        ErrorCode::unsupported);
  CHECK(answer("Bearer x").error().code == ErrorCode::unsupported);
  CHECK(answer("Digest realm=\"r\"").error().code == ErrorCode::invalid_argument);
  CHECK(answer("Digest realm=\"r\", nonce=\"n\"", "u\r\nEvil: x").error().code ==
        ErrorCode::invalid_argument);
}
