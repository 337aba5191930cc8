// What is kept of answers, for how long, and who is asked when nobody answers.
#include "io/dns_resolver.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "io/dns_files.hpp"
#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::io;
using dns::RecordType;
using tandem::test::at;
using tandem::test::FakeNetwork;

namespace {

constexpr std::int64_t second_us = 1'000'000;

std::string u16(unsigned value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)};
}

/// The answer to a query with its question and these records, "" for none.
std::string answer_to(const std::string& query, const std::string& records, unsigned answers,
                      unsigned flags = 0x8180, const std::string& authority = {}) {
  const std::string question = query.substr(12, query.size() - 12 - 11);  // without OPT
  return query.substr(0, 2) + u16(flags) + u16(1) + u16(answers) + u16(authority.empty() ? 0 : 1) +
         u16(0) + question + records + authority;
}

std::string a_record(unsigned last, unsigned ttl_s) {
  return std::string("\xc0\x0c", 2) + u16(1) + u16(1) + u16(0) + u16(ttl_s) + u16(4) +
         std::string("\x0a\0\0", 3) + static_cast<char>(last);
}

/// SOA of the root with this MINIMUM and a mailbox that is no name of a host.
std::string soa_record(unsigned minimum_s) {
  const std::string mailbox = std::string("\5a.b c", 6) + '\0';
  const std::string data =
      std::string("\2ns\0", 4) + mailbox + std::string(16, '\1') + u16(0) + u16(minimum_s);
  return std::string("\0", 1) + u16(6) + u16(1) + u16(0) + u16(900) +
         u16(static_cast<unsigned>(data.size())) + data;
}

struct Fixture {
  FakeNetwork network;
  io::Loop& loop = network.create_loop();
  SeededRandom random{53};
  int changes = 0;
  std::vector<std::string> queries;  // of the first server
  std::vector<SocketAddress> askers;
  int second_asked = 0;
  std::function<std::string(const std::string& query)> answer;  // "": none
  std::unique_ptr<DnsResolver> resolver;

  Fixture() {
    network.bind(at("10.0.0.53:53"), [this](const SocketAddress& from, std::string_view bytes) {
      queries.emplace_back(bytes);
      askers.push_back(from);
      if (const std::string reply = answer ? answer(queries.back()) : std::string(); !reply.empty())
        network.send(at("10.0.0.53:53"), from, reply);
    });
    network.bind(at("10.0.0.54:53"),
                 [this](const SocketAddress&, std::string_view) { ++second_asked; });
    DnsResolverConfig config;
    config.servers = {at("10.0.0.53:53"), at("10.0.0.54:53")};
    config.stale_us = 600 * second_us;
    resolver =
        std::make_unique<DnsResolver>(loop, random, config, [this](const auto&) { ++changes; });
  }
  const DnsEntry& find() { return resolver->find("x.net", RecordType::a); }
};

}  // namespace

TEST_CASE("resolver: one question is asked once, kept for its TTL and asked anew before its end") {
  Fixture f;
  f.answer = [](const std::string& query) { return answer_to(query, a_record(1, 100), 1); };
  CHECK(f.find().state == DnsEntry::State::pending);
  CHECK(f.find().state == DnsEntry::State::pending);
  f.network.run_for(second_us);
  CHECK(f.queries.size() == 1);
  CHECK(f.changes == 1);
  REQUIRE(f.find().state == DnsEntry::State::found);
  CHECK(std::get<IpAddress>(f.find().data.at(0)) == IpAddress::ipv4(10, 0, 0, 1));
  f.network.run_for(78 * second_us);
  (void)f.find();
  f.network.settle();
  CHECK(f.queries.size() == 1);
  f.network.run_for(2 * second_us);
  CHECK(f.find().state == DnsEntry::State::found);  // it goes on serving
  f.network.run_for(second_us);
  CHECK(f.queries.size() == 2);
  // A port of its own for each, and the name in its own cases.
  CHECK(f.askers[0] != f.askers[1]);
  CHECK(f.queries[0].substr(0, 20) != f.queries[1].substr(0, 20));
}

TEST_CASE("resolver: TTLs are clamped, and nothing is nothing for as long as SOA says") {
  Fixture f;
  f.answer = [](const std::string& query) { return answer_to(query, a_record(1, 0), 1); };
  (void)f.find();
  f.network.run_for(1);
  CHECK(f.find().expires_us - f.find().asked_us == 5 * second_us);
  f.answer = [](const std::string& query) { return answer_to(query, a_record(1, 60'000), 1); };
  f.network.run_for(5 * second_us);
  (void)f.find();
  f.network.run_for(1);
  CHECK(f.find().expires_us - f.find().asked_us == 3'600 * second_us);
  f.answer = [](const std::string& query) {
    return answer_to(query, "", 0, 0x8183, soa_record(77));
  };
  f.network.run_for(3'600 * second_us);
  (void)f.find();
  f.network.run_for(1);
  CHECK(f.find().state == DnsEntry::State::absent);
  CHECK(f.find().expires_us - f.find().asked_us == 77 * second_us);
}

TEST_CASE("resolver: every server is asked in turn, then what was known serves, but not for ever") {
  Fixture f;
  f.answer = [](const std::string& query) { return answer_to(query, a_record(1, 100), 1); };
  (void)f.find();
  f.network.run_for(1);
  f.answer = nullptr;
  f.network.run_for(90 * second_us);
  (void)f.find();
  f.network.run_for(5 * second_us);
  CHECK(f.queries.size() == 3);  // twice without an answer
  CHECK(f.second_asked == 2);
  CHECK(f.resolver->counters().failures == 1);
  CHECK(f.find().state == DnsEntry::State::found);
  CHECK(f.find().error == "10.0.0.54:53 did not answer");
  f.network.run_for(300 * second_us);
  CHECK(f.find().state == DnsEntry::State::found);
  CHECK(f.find().is_stale(f.loop.clock().monotonic_us()));
  f.network.run_for(400 * second_us);
  CHECK(f.find().state == DnsEntry::State::failed);
}

TEST_CASE("resolver: what is not asked for any more is forgotten, and there is only so much room") {
  FakeNetwork network;
  io::Loop& loop = network.create_loop();
  SeededRandom random{7};
  DnsResolverConfig config;
  config.servers = {at("10.0.0.53:53")};
  config.entries_max = 2;
  DnsResolver resolver(loop, random, config, [](const auto&) {});
  (void)resolver.find("a.net", RecordType::a);
  (void)resolver.find("b.net", RecordType::a);
  CHECK(resolver.find("c.net", RecordType::a).error == "too many names");
  CHECK(resolver.find("A.NET", RecordType::a).state == DnsEntry::State::pending);
  CHECK(resolver.find("a..net", RecordType::a).error == "it is no name that DNS can have");
  network.run_for(30 * second_us);
  (void)resolver.find("a.net", RecordType::a);
  network.run_for(30 * second_us);
  resolver.forget_unused(loop.clock().monotonic_us() - 30 * second_us);
  CHECK(resolver.entries() == 1);
  CHECK(resolver.find("c.net", RecordType::a).state == DnsEntry::State::pending);
}

TEST_CASE(
    "resolver: a question holds one socket, however many servers are silent; says which ended") {
  FakeNetwork network;
  io::Loop& loop = network.create_loop();
  SeededRandom random{7};
  DnsResolverConfig config;
  for (int i = 1; i <= 8; ++i)
    config.servers.push_back(at("10.0.0." + std::to_string(i) + ":53"));
  std::vector<std::string> ended;
  DnsResolver resolver(loop, random, config, [&](const std::vector<std::string>& questions) {
    ended.insert(ended.end(), questions.begin(), questions.end());
  });
  (void)resolver.find("A.net", RecordType::a);
  std::size_t most = 0;
  for (int i = 0; i < 40; ++i) {
    network.run_for(second_us / 2);
    most = std::max(most, network.bound_count());
  }
  CHECK(resolver.counters().timeouts == 16);
  CHECK(most == 1);
  CHECK(network.bound_count() == 0);
  CHECK(ended == std::vector<std::string>{question_key("a.net", RecordType::a)});
}

TEST_CASE("resolv.conf, hosts: what can be read is read, the rest passed over") {
  const auto servers = read_resolv_conf(
      "# made by hand\nsearch x.net\nnameserver 10.0.0.53\n nameserver\t::1 \nnameserver "
      "fe80::1%eth0\n"
      "nameserver\noptions edns0\nnameserver 10.0.0.54");
  REQUIRE(servers.size() == 3);
  CHECK(servers[0].to_string() == "10.0.0.53:53");
  CHECK(servers[1].to_string() == "[::1]:53");
  CHECK(servers[2].to_string() == "10.0.0.54:53");
  const auto hosts = read_hosts(
      "127.0.0.1\tlocalhost  # this one\n::1 localhost\n10.0.0.1 A.x.net b.x.net\nnonsense "
      "c.x.net\n"
      "10.0.0.1 a.x.net\n10.0.0.2 a.x.net bad\\name");
  CHECK(hosts.size() == 3);
  CHECK(hosts.at("localhost").size() == 2);
  CHECK(hosts.at("a.x.net") ==
        std::vector<IpAddress>{IpAddress::ipv4(10, 0, 0, 1), IpAddress::ipv4(10, 0, 0, 2)});
  CHECK(hosts.count("c.x.net") == 0);
}
