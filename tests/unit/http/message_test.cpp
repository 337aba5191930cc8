#include "http/message.hpp"

#include <doctest/doctest.h>

using namespace tandem::http;
using Outcome = RequestReader::Outcome;

namespace {

/// Reads one whole request; the status of a refusal, or 0.
int status_of(std::string_view text) {
  RequestReader reader;
  if (!reader.append(text)) return -1;
  return reader.read() == Outcome::refused ? reader.status() : 0;
}

Request request_of(std::string_view text) {
  RequestReader reader;
  REQUIRE(reader.append(text));
  REQUIRE(reader.read() == Outcome::complete);
  return reader.request();
}

}  // namespace

TEST_CASE("RequestReader: a request is read whole, decoded and in order") {
  const Request request = request_of(
      "POST /api/v1/accounts/a%2Fb/payments?since=2026-01-01T00:00:00+02:00&x&y=%41 HTTP/1.1\r\n"
      "Host: localhost\r\nX-One:  two \r\nContent-Length: 3\r\n\r\nabc");
  CHECK(request.method == "POST");
  CHECK(request.path == std::vector<std::string>{"api", "v1", "accounts", "a/b", "payments"});
  REQUIRE(request.query.size() == 3);
  CHECK(request.query[0].second == "2026-01-01T00:00:00+02:00");
  CHECK(request.query[1].first == "x");
  CHECK(request.query[2].second == "A");
  REQUIRE(request.header("x-one") != nullptr);
  CHECK(*request.header("x-one") == "two");
  CHECK(request.header("x-two") == nullptr);
  CHECK(request.body == "abc");
  CHECK(request.keeps_alive);
}

TEST_CASE("RequestReader: an empty line or two before a request are skipped, and no more (S-14)") {
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  CHECK(status_of("\r\n" + request) == 0);
  CHECK(status_of("\r\n\r\n" + request) == 0);
  CHECK(status_of("\r\n\r\n\r\n" + request) == 400);
  std::string many;
  for (int i = 0; i < 32 * 1024; ++i)
    many += "\r\n";
  CHECK(status_of(many) == 400);
  // Nor one by one, and each request has its own.
  RequestReader reader;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(reader.append("\r\n"));
    CHECK(reader.read() == Outcome::incomplete);
  }
  REQUIRE(reader.append(request + "\r\n" + request));
  REQUIRE(reader.read() == Outcome::complete);
  reader.take();
  REQUIRE(reader.read() == Outcome::complete);
  reader.take();
  for (int i = 0; i < 2; ++i) {
    REQUIRE(reader.append("\r\n"));
    CHECK(reader.read() == Outcome::incomplete);
  }
  REQUIRE(reader.append("\r\n"));
  CHECK(reader.read() == Outcome::refused);
  CHECK(reader.status() == 400);
}

TEST_CASE("RequestReader: how the bytes are cut changes nothing") {
  const std::string_view text =
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
      "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  RequestReader reader;
  std::vector<std::string> seen;
  for (const char c : text) {
    REQUIRE(reader.append({&c, 1}));
    while (reader.read() == Outcome::complete) {
      seen.push_back(reader.request().method + reader.request().path[0] + reader.request().body +
                     (reader.request().keeps_alive ? "+" : "-"));
      reader.take();
    }
  }
  CHECK(seen == std::vector<std::string>{"POSTahi+", "GETb-"});
  CHECK(reader.is_idle());
}

TEST_CASE("RequestReader: an HTTP/1.0 request ends its connection and needs no Host") {
  CHECK_FALSE(request_of("GET / HTTP/1.0\r\n\r\n").keeps_alive);
}

TEST_CASE("RequestReader: a client that waits for 100 is told once") {
  RequestReader reader;
  REQUIRE(reader.append(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(reader.read() == Outcome::wants_continue);
  CHECK(reader.read() == Outcome::incomplete);
  REQUIRE(reader.append("ok"));
  CHECK(reader.read() == Outcome::complete);
}

TEST_CASE("RequestReader: what two readers could read differently is refused") {
  const std::string host = "Host: x\r\n";
  CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);                       // no Host
  CHECK(status_of("GET / HTTP/1.1\r\n" + host + host + "\r\n") == 400);    // two
  CHECK(status_of("GET / HTTP/1.1\r\n" + host + "A : b\r\n\r\n") == 400);  // blank before colon
  CHECK(status_of("GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n") == 400);  // folded
  CHECK(status_of("GET / HTTP/1.1\r\n" + host + "A: b\nC: d\r\n\r\n") == 400);  // bare line feed
  CHECK(status_of("GET /a b HTTP/1.1\r\n" + host + "\r\n") == 400);
  CHECK(status_of("GET /%4 HTTP/1.1\r\n" + host + "\r\n") == 400);
  CHECK(status_of("GET /%00 HTTP/1.1\r\n" + host + "\r\n") == 400);
  CHECK(status_of("GET http://x/ HTTP/1.1\r\n" + host + "\r\n") == 400);
  CHECK(status_of("G<T / HTTP/1.1\r\n" + host + "\r\n") == 400);
  CHECK(status_of("GET / HTTP/2.0\r\n" + host + "\r\n") == 505);
  CHECK(status_of("POST / HTTP/1.1\r\n" + host + "\r\n") == 411);
  CHECK(status_of("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n") == 501);
  for (const char* length : {"-1", "+1", "1x", "", "0x1", "99999999999999999999999"})
    CHECK(status_of("POST / HTTP/1.1\r\n" + host + "Content-Length: " + length + "\r\n\r\n") ==
          400);
  CHECK(status_of("POST / HTTP/1.1\r\n" + host +
                  "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx") == 400);
}

TEST_CASE("RequestReader: heads, headers and bodies are bounded") {
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\n";
  CHECK(status_of(start + "A: " + std::string(16'384, 'a')) == 431);
  std::string many = start;
  for (int i = 0; i < 100; ++i)
    many += "A: b\r\n";
  CHECK(status_of(many + "\r\n") == 431);
  CHECK(status_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n") == 0);
  CHECK(status_of("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n") == 413);
  CHECK(status_of(std::string((1U << 20) + 16'385, 'a')) == -1);
}

TEST_CASE("RequestReader: after a refusal nothing more is read") {
  RequestReader reader;
  REQUIRE(reader.append("bad\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(reader.read() == Outcome::refused);
  CHECK(reader.read() == Outcome::refused);
}

TEST_CASE("to_wire: the length is that of the body, for HEAD too, and 204 has neither") {
  const Response response{200, "text/plain", "four", {{"Allow", "GET"}}};
  const std::string whole = to_wire(response, true, false);
  CHECK(whole.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(whole.find("Content-Length: 4\r\n") != std::string::npos);
  CHECK(whole.find("Allow: GET\r\n") != std::string::npos);
  CHECK(whole.find("Connection:") == std::string::npos);
  CHECK(whole.ends_with("\r\n\r\nfour"));
  const std::string head = to_wire(response, false, true);
  CHECK(head.find("Content-Length: 4\r\n") != std::string::npos);
  CHECK(head.find("Connection: close\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(to_wire({204, "", "", {}}, true, false).find("Content-") == std::string::npos);
}
