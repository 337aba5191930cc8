// Who is asked, and whose answer counts.
#include "io/dns_client.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::io;
using tandem::test::at;
using tandem::test::FakeNetwork;

namespace {

const SocketAddress server_address = at("10.0.0.53:53");
const dns::Question question{"2.1.e164.arpa", dns::RecordType::naptr};

/// The answer without records to a query, with these flags.
std::string answer_to(std::string query, unsigned flags = 0x8180) {
  query[2] = static_cast<char>(flags >> 8U);
  query[3] = static_cast<char>(flags & 0xffU);
  return query;
}

struct Fixture : DnsEvents {
  FakeNetwork network;
  io::Loop& loop = network.create_loop();
  SeededRandom random{53};
  DnsClient client{loop, random, *this};
  std::vector<std::string> queries;
  SocketAddress asker;
  std::string told;
  std::function<void(std::uint64_t id)> reacts;  // inside the callback

  Fixture() {
    network.bind(server_address, [this](const SocketAddress& from, std::string_view bytes) {
      asker = from;
      queries.emplace_back(bytes);
    });
  }
  void on_dns_answer(std::uint64_t id, const dns::Response& response) override {
    told += std::to_string(id) + "=" + std::to_string(response.code) + ";";
    if (reacts) reacts(id);
  }
  void on_dns_failure(std::uint64_t id, std::string_view reason) override {
    told += std::to_string(id) + "!" + std::string(reason) + ";";
    if (reacts) reacts(id);
  }
  std::string take() { return std::exchange(told, std::string()); }
};

/// A name server on a stream: keeps what it hears.
struct StreamServer : AcceptHandler, StreamHandler {
  std::unique_ptr<StreamListener> listener;
  std::unique_ptr<StreamConnection> connection;
  std::string heard;
  StreamServer(io::Loop& loop, const SocketAddress& address) {
    auto opened = loop.listen(address, false, *this);
    REQUIRE(opened.ok());
    listener = std::move(*opened);
  }
  void on_accept(std::unique_ptr<StreamConnection> made) override {
    connection = std::move(made);
    connection->set_handler(*this);
  }
  void on_bytes(std::string_view bytes) override { heard += bytes; }
  void on_closed(const Error&) override {}
  void send(const std::string& message) {
    std::string bytes;
    bytes += static_cast<char>(message.size() >> 8U);
    bytes += static_cast<char>(message.size() & 0xffU);
    REQUIRE(connection->send(bytes + message).ok());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "DNS client: answers come to whoever asked, in any order (R-20)") {
  REQUIRE(client.ask(1, server_address, question));
  REQUIRE(client.ask(2, server_address, {"9.e164.arpa", dns::RecordType::naptr}));
  CHECK(client.under_way() == 2);
  network.settle();
  REQUIRE(queries.size() == 2);
  CHECK(queries[0].substr(0, 2) != queries[1].substr(0, 2));
  network.send(server_address, asker, answer_to(queries[1], 0x8183));
  network.send(server_address, asker, answer_to(queries[0]));
  network.settle();
  CHECK(take() == "2=3;1=0;");
  CHECK(client.under_way() == 0);
  network.send(server_address, asker, answer_to(queries[0]));  // a second time
  network.settle();
  CHECK(take() == "");
  CHECK(client.counters().strays == 1);
  CHECK(client.counters().answers == 2);
}

TEST_CASE_FIXTURE(Fixture, "DNS client: forged and malformed answers change nothing (RFC 5452)") {
  REQUIRE(client.ask(1, server_address, question));
  network.settle();
  const std::string good = answer_to(queries.at(0));
  std::string other_id = good, other_name = good, other_type = good;
  other_id[0] = static_cast<char>(other_id[0] ^ 1);
  other_name[13] = '3';
  other_type[12 + 15 + 1] = 1;
  for (const std::string& bad :
       {other_id, other_name, other_type, good.substr(0, 20), queries[0], std::string()}) {
    network.send(server_address, asker, bad);
  }
  network.send(at("10.0.0.53:54"), asker, good);
  network.send(at("10.0.0.54:53"), asker, good);
  network.settle();
  CHECK(take() == "");
  CHECK(client.counters().strays == 8);
  network.send(server_address, asker, good);
  network.settle();
  CHECK(take() == "1=0;");
}

TEST_CASE_FIXTURE(Fixture,
                  "DNS client: what is forgotten is not heard of, and what is full says so") {
  REQUIRE(client.ask(1, server_address, question));
  network.settle();
  client.forget(1);
  client.forget(1);
  network.send(server_address, asker, answer_to(queries.at(0)));
  network.settle();
  CHECK(take() == "");
  CHECK_FALSE(client.ask(2, server_address, {"a..b", dns::RecordType::a}));
  network.keeps_sent = false;
  for (std::size_t i = 0; i < DnsClient::questions_max; ++i)
    REQUIRE(client.ask(10 + i, server_address, question));
  CHECK_FALSE(client.ask(1, server_address, question));
  client.forget(10);
  CHECK(client.ask(1, server_address, question));
}

TEST_CASE_FIXTURE(Fixture, "DNS client: an unreachable server fails what was asked of it at once") {
  network.answers_unreachable = true;
  REQUIRE(client.ask(1, at("10.0.0.99:53"), question));
  REQUIRE(client.ask(2, server_address, question));
  network.settle();
  CHECK(take() == "1!server was unreachable;");
  CHECK(client.under_way() == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "DNS client: a truncated answer is asked for again over TCP (RFC 7766)") {
  StreamServer server(loop, server_address);
  network.segment_bytes = 7;
  REQUIRE(client.ask(1, server_address, question));
  network.settle();
  network.send(server_address, asker, answer_to(queries.at(0), 0x8380));
  network.settle();
  CHECK(take() == "");
  CHECK(client.counters().truncated == 1);
  REQUIRE(server.heard.size() > 2);
  CHECK(server.heard.substr(2) == queries[0]);
  // The datagram's answer does not count any more.
  network.send(server_address, asker, answer_to(queries[0]));
  network.settle();
  CHECK(take() == "");
  server.send(answer_to(queries[0]));
  network.settle();
  CHECK(take() == "1=0;");
  CHECK(client.under_way() == 0);
}

TEST_CASE_FIXTURE(Fixture, "DNS client: whatever goes wrong over TCP is told once") {
  std::string expected;
  SUBCASE("nobody listens") { expected = "1!connection refused;"; }
  SUBCASE("it is closed") { expected = "1!closed by the peer;"; }
  SUBCASE("it is cut there, too") { expected = "1!DNS response was cut over TCP;"; }
  SUBCASE("it answers something else") { expected = "1!DNS response was to another question;"; }
  std::unique_ptr<StreamServer> server;
  if (expected.find("refused") == std::string::npos)
    server = std::make_unique<StreamServer>(loop, server_address);
  REQUIRE(client.ask(1, server_address, question));
  network.settle();
  const std::string query = queries.at(0);
  network.send(server_address, asker, answer_to(query, 0x8380));
  network.settle();
  if (expected.find("closed") != std::string::npos) server->connection.reset();
  if (expected.find("cut") != std::string::npos) server->send(answer_to(query, 0x8380));
  if (expected.find("another") != std::string::npos) {
    std::string other = answer_to(query);
    other[0] = static_cast<char>(other[0] ^ 1);
    server->send(other);
  }
  network.settle();
  CHECK(take() == expected);
  CHECK(client.under_way() == 0);
  network.run_for(1'000'000);
  CHECK(take() == "");
}

TEST_CASE_FIXTURE(Fixture, "DNS client: each question has letters of its own cases (RFC 5452)") {
  const dns::Question named{"2.1.enum.numbers.example", dns::RecordType::naptr};
  for (std::uint64_t id = 1; id <= 8; ++id)
    REQUIRE(client.ask(id, server_address, named));
  network.settle();
  REQUIRE(queries.size() == 8);
  bool are_different = false;
  for (const std::string& query : queries)
    are_different |= query.substr(12) != queries[0].substr(12);
  CHECK(are_different);
  // The name in another case is a forgery, whatever the id.
  std::string forged = answer_to(queries[0]);
  forged[17] = static_cast<char>(forged[17] ^ 0x20);  // the "e" of "enum", behind "1 2 1 1 4"
  network.send(server_address, asker, forged);
  network.settle();
  CHECK(take() == "");
  CHECK(client.counters().strays == 1);
  network.send(server_address, asker, answer_to(queries[0]));
  network.settle();
  CHECK(take() == "1=0;");
}

TEST_CASE_FIXTURE(Fixture,
                  "DNS client: a server that understands nothing fails at once (RFC 6891)") {
  REQUIRE(client.ask(1, server_address, question));
  REQUIRE(client.ask(2, server_address, question));
  network.settle();
  std::string bare = answer_to(queries.at(0), 0x8181).substr(0, 12);
  for (std::size_t i = 4; i < bare.size(); ++i)
    bare[i] = 0;
  network.send(at("10.0.0.54:53"), asker, bare);
  network.settle();
  CHECK(take() == "");
  network.send(server_address, asker, bare);
  network.send(server_address, asker, answer_to(queries.at(1), 0x8184));
  network.settle();
  CHECK(take() == "1!server did not understand the question;2=4;");
}

TEST_CASE_FIXTURE(Fixture, "DNS client: it may go while questions are under way over UDP and TCP") {
  for (const bool is_forgotten : {false, true}) {
    CAPTURE(is_forgotten);
    queries.clear();
    auto server = std::make_unique<StreamServer>(loop, server_address);
    auto other = std::make_unique<DnsClient>(loop, random, *this);
    REQUIRE(other->ask(1, server_address, question));
    REQUIRE(other->ask(2, server_address, question));
    network.settle();
    const std::string query = queries.at(0);
    network.send(server_address, asker, answer_to(query, 0x8380));
    network.settle();
    REQUIRE(server->connection != nullptr);
    // Its stream waits for the end of the turn when the client goes.
    if (is_forgotten) other->forget(1);
    server->send(answer_to(query));
    network.send(server_address, asker, answer_to(queries.at(1)));
    other.reset();
    network.settle();
    CHECK(take() == "");
  }
}

TEST_CASE_FIXTURE(Fixture, "DNS client: whoever hears may ask again and forget, over UDP and TCP") {
  StreamServer server(loop, server_address);
  REQUIRE(client.ask(1, server_address, question));
  REQUIRE(client.ask(2, server_address, question));
  REQUIRE(client.ask(3, server_address, question));
  reacts = [this](std::uint64_t id) {
    client.forget(3);
    if (id == 1) {
      CHECK(client.ask(1, server_address, question));
    }
  };
  network.settle();
  network.send(server_address, asker, answer_to(queries.at(0), 0x8380));
  network.settle();
  server.send(answer_to(queries[0]));
  network.send(server_address, asker, answer_to(queries[1]));
  network.settle();
  CHECK(client.under_way() == 1);
  REQUIRE(queries.size() == 4);
  network.send(server_address, asker, answer_to(queries[2]));  // forgotten
  reacts = {};
  network.send(server_address, asker, answer_to(queries[3]));
  network.settle();
  const std::string all = take();
  CHECK((all == "1=0;2=0;1=0;" || all == "2=0;1=0;1=0;"));
  CHECK(client.under_way() == 0);
}
