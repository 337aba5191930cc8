// Sinks on other machines in the configuration.
#include <doctest/doctest.h>

#include "tandem/config.hpp"

using namespace tandem;

namespace {

ConfigReading read_sinks(const std::string& sinks) {
  return read_config(
      R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, "cdr": {"sinks": [)" + sinks + "]}}", ".");
}

std::string first_error(const std::string& sinks) {
  const ConfigReading reading = read_sinks(sinks);
  return reading.errors.empty() ? "none"
                                : reading.errors[0].pointer + ": " + reading.errors[0].message;
}

/// Of a sink whose component this build may be without.
bool is_taken_or_named(const std::string& error, const std::string& component) {
  return error == "none" ||
         error.ends_with("need " + component + ", which this build of tandem is without");
}

}  // namespace

TEST_CASE("Configuration: an HTTP sink has its keys, its defaults and a folder of its own (C-06)") {
  const ConfigReading reading = read_sinks(
      R"({"type": "http", "url": "http://a:8088/x"},
         {"type": "http", "path": "second", "url": "http://b/", "token": "t", "secret": "s",
          "headers": ["X-A: b"], "batch_records": 9, "timeout_ms": 500, "set_aside_after": 3})");
  REQUIRE(reading.errors.empty());
  REQUIRE(reading.config.cdr_sinks.size() == 2);
  const CdrSinkConfig& first = reading.config.cdr_sinks[0];
  CHECK(first.path == "cdr-http");
  CHECK(first.push.batch_records == 500);
  CHECK(first.push.timeout_ms == 10'000);
  const CdrSinkConfig& second = reading.config.cdr_sinks[1];
  CHECK(second.push.url == "http://b/");
  CHECK(second.push.token == "t");
  CHECK(second.push.secret == "s");
  CHECK(second.push.headers == std::vector<std::string>{"X-A: b"});
  CHECK(second.push.batch_records == 9);
  CHECK(second.push.timeout_ms == 500);
  CHECK(second.set_aside_after == 3);
  CHECK_FALSE(first == second);
}

TEST_CASE(
    "Configuration: a sink that cannot work is refused with its place and the reason (C-06)") {
  CHECK(first_error(R"({"type": "http"})").starts_with("/cdr/sinks/0: url \"\""));
  CHECK(
      first_error(R"({"type": "http", "url": "ftp://a/"})").starts_with("/cdr/sinks/0: url \"ftp"));
  CHECK(first_error(R"({"type": "http", "url": "http://a/", "tls_ca": "ca.pem"})").find("tls_ca") !=
        std::string::npos);
  CHECK(first_error(R"({"type": "http", "url": "http://a/", "batch_records": 20000})")
            .starts_with("/cdr/sinks/0: batch_records 20000"));
  CHECK(first_error(R"({"type": "http", "url": "http://a/"}, {"type": "http", "url": "http://b/"})")
            .starts_with("/cdr/sinks/1/path: "));
  CHECK(first_error(R"({"type": "redis"})").find("mariadb") != std::string::npos);
}

TEST_CASE(
    "Configuration: SQL sinks are taken, or refused by the component that is missing (C-03)") {
  CHECK(is_taken_or_named(first_error(R"({"type": "postgresql", "connection": "host=a",
    "table": "e_cdr", "source": "berlin-1", "retention_days": 90, "ahead_days": 7})"),
                          "libpq"));
  CHECK(is_taken_or_named(first_error(R"({"type": "mariadb", "connection": "database=cdr"})"),
                          "libmariadb"));
  CHECK(first_error(R"({"type": "mariadb", "connection": "host=a"})").find("database") !=
        std::string::npos);
  CHECK(first_error(R"({"type": "postgresql", "connection": "host=a", "table": "no name"})")
            .find("no name") != std::string::npos);
  CHECK(first_error(R"({"type": "postgresql"})").find("named no server") != std::string::npos);
}
