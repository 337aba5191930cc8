// Where phones are told of, in the configuration (I-02).
#include <doctest/doctest.h>

#include "tandem/config.hpp"

using namespace tandem;

namespace {

ConfigReading read_notices(const std::string& notices) {
  return read_config(
      R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, "phone_notices": )" + notices + "}", ".");
}

std::string first_error(const std::string& notices) {
  const ConfigReading reading = read_notices(notices);
  return reading.errors.empty() ? "none"
                                : reading.errors[0].pointer + ": " + reading.errors[0].message;
}

}  // namespace

TEST_CASE(
    "Configuration: notices of phones have their keys and defaults, and are off without (I-02)") {
  CHECK_FALSE(read_notices("null").config.phone_notices);
  const ConfigReading bare = read_notices(R"({"url": "http://a:8000/PhoneOnline"})");
  REQUIRE(bare.errors.empty());
  WebhookConfig wanted;
  wanted.url = "http://a:8000/PhoneOnline";
  CHECK(*bare.config.phone_notices == wanted);
  const ConfigReading reading = read_notices(
      R"({"url": "http://b/", "token": "t", "secret": "s", "headers": ["X-A: b"], "timeout_ms": 500,
          "retries": 3, "retry_min_ms": 3000, "retry_max_ms": 3000, "queue_max": 7, "connections": 2,
          "dead_letters": "lost"})");
  REQUIRE(reading.errors.empty());
  wanted.url = "http://b/";
  wanted.token = "t";
  wanted.secret = "s";
  wanted.headers = {"X-A: b"};
  wanted.timeout_ms = 500;
  wanted.retries = 3;
  wanted.retry_min_ms = wanted.retry_max_ms = 3'000;
  wanted.queue_max = 7;
  wanted.connections = 2;
  wanted.dead_letters = "lost";
  CHECK(*reading.config.phone_notices == wanted);
}

TEST_CASE("Configuration: notices that cannot be sent are refused with their place (I-02, I-06)") {
  CHECK(first_error("{}").starts_with("/phone_notices/url: missing"));
  CHECK(first_error(R"({"url": "ftp://a/"})").starts_with("/phone_notices: url \"ftp://a/\""));
  CHECK(first_error(R"({"url": "http://a/", "retry": 1})").starts_with("/phone_notices/retry: "));
  CHECK(first_error(R"({"url": "http://a/", "queue_max": 0})")
            .starts_with("/phone_notices/queue_max: "));
  CHECK(first_error(R"({"url": "http://a/", "retry_min_ms": 5000, "retry_max_ms": 200})") ==
        "/phone_notices: retry_min_ms 5000 was not in 100..retry_max_ms");
  CHECK(first_error(R"({"url": "http://a/", "tls_key": "key.pem"})").find("tls_key") !=
        std::string::npos);
  CHECK(first_error(R"({"url": "https://a/", "tls_ca": "/nowhere/ca.pem"})")
            .starts_with("/phone_notices: tls_ca: "));
  CHECK(first_error(R"("http://a/")").starts_with("/phone_notices: expected an object"));
}
