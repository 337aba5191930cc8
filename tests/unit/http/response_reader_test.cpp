#include "http/response_reader.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tandem::http;
using Outcome = ResponseReader::Outcome;

namespace {

constexpr std::size_t body_max = 100;

/// What a client would see of one response and the end of its connection.
std::string read(std::string_view bytes, std::size_t step, bool ends = true) {
  ResponseReader reader(body_max);
  Outcome outcome = Outcome::incomplete;
  while (outcome == Outcome::incomplete && !bytes.empty()) {
    outcome = reader.append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  if (outcome == Outcome::incomplete && ends) outcome = reader.close();
  if (outcome == Outcome::incomplete) return "incomplete";
  if (outcome == Outcome::refused) return "refused: " + reader.reason();
  return std::to_string(reader.response().status) + " " + reader.response().body +
         (reader.response().keeps_alive ? " keeps" : " closes");
}

}  // namespace

TEST_CASE(
    "ResponseReader: bodies with a length, in chunks and up to the end are read, however the "
    "bytes are cut (R-20)") {
  struct Row {
    std::string_view bytes, seen;
  };
  for (const Row& row : {
           Row{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour", "200 four keeps"},
           Row{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200  keeps"},
           Row{"HTTP/1.1 204 No Content\r\n\r\n", "204  keeps"},
           Row{"HTTP/1.1 200\r\nconnection: close\r\nContent-Length: 1\r\n\r\nx", "200 x closes"},
           Row{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 x closes"},
           Row{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
               "200 x keeps"},
           Row{"HTTP/1.1 404 Not Found\r\n\r\nup to the end", "404 up to the end closes"},
           Row{"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
               "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789"
               "\r\n0\r\nTrailer: 1\r\n\r\n",
               "200 abc0123456789 keeps"},
           Row{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 "
               "200 "
               "OK\r\nContent-Length: 1\r\n\r\nx",
               "200 x keeps"},
       }) {
    CAPTURE(row.bytes);
    for (const std::size_t step : {1, 2, 3, 7, 1000})
      CHECK(read(row.bytes, step) == row.seen);
  }
}

TEST_CASE("ResponseReader: what two readers could read differently is refused (R-20)") {
  for (const std::string_view bytes : {
           std::string_view("HTTP/2 200 OK\r\n\r\n"),
           std::string_view("HTTP/1.1 20 OK\r\n\r\n"),
           std::string_view("HTTP/1.1 2000 OK\r\n\r\n"),
           std::string_view("HTTP/1.1 999 OK\r\n\r\n"),
           std::string_view("ICY 200 OK\r\n\r\n"),
           std::string_view("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
           std::string_view("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx"),
           std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
                            "chunked\r\n\r\n0\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
           std::string_view("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nname : 1\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nname\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\na: \x01\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n"),
           std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                            "chunked\r\n\r\nfffffffff\r\n"),
       }) {
    CAPTURE(bytes);
    for (const std::size_t step : {1, 1000})
      CHECK(read(bytes, step, false).starts_with("refused: "));
  }
}

TEST_CASE("ResponseReader: heads, bodies, chunks and trailers are bounded (R-20)") {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string long_body(body_max + 1, 'x');
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", 1000, false) ==
        "refused: body is longer than 100 bytes");
  CHECK(read("HTTP/1.1 200 OK\r\n\r\n" + long_body, 9) == "refused: body is longer than 100 bytes");
  CHECK(read("HTTP/1.1 200 OK\r\n\r\n" + long_body.substr(1), 9).starts_with("200 xxx"));
  CHECK(read(chunked + "64\r\n" + long_body.substr(1) + "\r\n1\r\nx\r\n", 50) ==
        "refused: body is longer than 100 bytes");
  CHECK(read(chunked + std::string(300, '0'), 50, false) ==
        "refused: size of a chunk is malformed");
  CHECK(read(chunked + "0\r\n" + std::string(20'000, 't'), 50, false) ==
        "refused: trailers are longer than 16384 bytes");
  CHECK(read("HTTP/1.1 200 OK\r\nA: " + std::string(20'000, 'h'), 50, false) ==
        "refused: head is longer than 16384 bytes");
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 101; ++i)
    many += "a: 1\r\n";
  CHECK(read(many + "\r\n", 1000, false) == "refused: response has more than 100 headers");
  std::string interim;
  for (int i = 0; i < 9; ++i)
    interim += "HTTP/1.1 100 Continue\r\n\r\n";
  CHECK(read(interim, 1000, false) == "refused: status 100 was not expected");
}

TEST_CASE("ResponseReader: a connection that ends in the middle is no response (R-20)") {
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfou", 1).starts_with("refused"));
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", 1)
            .starts_with("refused"));
  CHECK(read("HTTP/1.1 200 OK\r\nConte", 1).starts_with("refused"));
}

TEST_CASE(
    "ResponseReader: one response follows the other, and what follows uncalled for is seen "
    "(R-20)") {
  const std::string one = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  ResponseReader reader(body_max);
  CHECK(reader.is_idle());
  CHECK(reader.append(one) == Outcome::complete);
  CHECK_FALSE(reader.is_idle());
  CHECK(reader.take());
  CHECK(reader.is_idle());
  CHECK(reader.append(one) == Outcome::complete);
  CHECK(reader.append("y") == Outcome::complete);
  CHECK_FALSE(reader.take());
  CHECK(ResponseReader(body_max).append(one + "HTTP") == Outcome::complete);
}
