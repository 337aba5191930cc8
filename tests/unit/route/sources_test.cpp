#include "tandem/sources.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "tandem/clock.hpp"

using namespace tandem;

namespace {

CustomerSource customer(std::string id, std::vector<std::string> addresses, int priority = 0) {
  CustomerSource source;
  source.id = std::move(id);
  source.priority = priority;
  for (const std::string& text : addresses) {
    auto address = SourceAddress::parse(text);
    REQUIRE(address.ok());
    source.addresses.push_back(*address);
  }
  return source;
}

SourceTable table_of(std::vector<CustomerSource> customers) {
  SourceTable::Builder builder;
  for (CustomerSource& c : customers)
    REQUIRE(builder.add(std::move(c)).ok());
  return builder.build();
}

/// Id of the customer, "unknown", or "ID: verdict".
std::string who(const SourceTable& table, std::string_view source, std::string_view caller = "1",
                std::string_view callee = "2") {
  const auto address = SocketAddress::parse(source);
  REQUIRE(address.ok());
  const SourceMatch match = table.identify(*address, caller, callee);
  switch (match.outcome) {
    case SourceMatch::Outcome::unknown:
      return "unknown";
    case SourceMatch::Outcome::identified:
      return std::string(table.id(match.customer));
    case SourceMatch::Outcome::restricted:
      return std::string(table.id(match.customer)) + ": " + number_verdict_name(match.restriction);
  }
  return "";
}

}  // namespace

TEST_CASE("SourceTable: A-03 an address without port means any port, one with port only that") {
  const SourceTable table =
      table_of({customer("any", {"192.0.2.1"}), customer("port", {"192.0.2.2:5070", "192.0.2.3"}),
                customer("six", {"2001:db8::1", "[2001:db8::2]:5060"})});
  CHECK(who(table, "192.0.2.1:5060") == "any");
  CHECK(who(table, "192.0.2.1:40000") == "any");
  CHECK(who(table, "192.0.2.2:5070") == "port");
  CHECK(who(table, "192.0.2.2:5060") == "unknown");
  CHECK(who(table, "192.0.2.3:1") == "port");
  CHECK(who(table, "192.0.2.4:5060") == "unknown");
  CHECK(who(table, "[2001:db8::1]:9") == "six");
  CHECK(who(table, "[2001:db8::2]:5060") == "six");
  CHECK(who(table, "[2001:db8::2]:5061") == "unknown");
  CHECK(who(table, "[::ffff:192.0.2.1]:5060") == "any");
  CHECK(who(SourceTable(), "192.0.2.1:5060") == "unknown");
}

TEST_CASE("SourceTable: A-03 blocks of addresses are sources too") {
  const SourceTable table =
      table_of({customer("block", {"198.51.100.7/25"}, 1), customer("one", {"198.51.100.9"}, 2),
                customer("all6", {"2001:db8::/33"})});
  CHECK(who(table, "198.51.100.127:5060") == "block");
  CHECK(who(table, "198.51.100.128:5060") == "unknown");
  CHECK(who(table, "198.51.100.9:5060") == "block");  // Priority decides, not how narrow it is.
  CHECK(who(table, "[2001:db8:7fff::1]:5060") == "all6");
  CHECK(who(table, "[2001:db8:8000::1]:5060") == "unknown");
}

TEST_CASE("SourceTable: A-03 customers on one address are told apart by their numbers") {
  CustomerSource eleven = customer("eleven", {"192.0.2.1"});
  eleven.numbers.allow_caller_prefixes = {"11"};
  CustomerSource twentytwo = customer("twentytwo", {"192.0.2.0/24"});
  twentytwo.numbers.allow_caller_prefixes = {"22"};
  twentytwo.numbers.deny_callee_prefixes = {"900"};
  const SourceTable table = table_of({twentytwo, eleven});
  CHECK(who(table, "192.0.2.1:5060", "1155", "44") == "eleven");
  CHECK(who(table, "192.0.2.1:5060", "2255", "44") == "twentytwo");
  CHECK(who(table, "192.0.2.1:5060", "33", "44") == "eleven: caller_not_allowed");
  CHECK(who(table, "192.0.2.1:5060", "22", "9001") == "eleven: caller_not_allowed");
  CHECK(who(table, "192.0.2.2:5060", "22", "9001") == "twentytwo: callee_denied");
}

TEST_CASE("SourceTable: A-03 trial goes by priority, then by id, whatever the order of adding") {
  const SourceTable table =
      table_of({customer("b", {"10.0.0.1"}, 5), customer("a", {"10.0.0.1"}, 5),
                customer("z", {"10.0.0.0/8"}, 4)});
  CHECK(who(table, "10.0.0.1:5060") == "z");
  CustomerSource z = customer("z", {"10.0.0.0/8"}, 4);
  z.numbers.caller_lengths = {9};
  const SourceTable picky =
      table_of({customer("b", {"10.0.0.1"}, 5), customer("a", {"10.0.0.1"}, 5), z});
  CHECK(who(picky, "10.0.0.1:5060") == "a");
  CHECK(who(picky, "10.0.0.2:5060") == "z: caller_length");
}

TEST_CASE("SourceTable: A-03 a locked customer is identified, so that its refusal can be told") {
  CustomerSource a = customer("a", {"10.0.0.1"});
  a.locked = true;
  const SourceTable table = table_of({a, customer("b", {"10.0.0.1"})});
  CHECK(who(table, "10.0.0.1:5060") == "a");
  CHECK(table.locked(0));
  CHECK_FALSE(table.locked(1));
}

TEST_CASE("SourceTable: a refused customer names its value and leaves the builder as it was") {
  SourceTable::Builder builder;
  REQUIRE(builder.add(customer("a", {"10.0.0.1"})).ok());
  CHECK(builder.add(customer("a", {})).error().code == ErrorCode::already_exists);
  CHECK(builder.add(customer("", {})).error().code == ErrorCode::invalid_argument);
  CHECK(builder.add(customer("b", {}, 65536)).error().message ==
        "priority 65536 of customer \"b\" was not between 0 and 65535");
  CustomerSource bad = customer("b", {});
  bad.addresses.emplace_back();
  CHECK_FALSE(builder.add(bad).ok());
  bad.addresses = {SourceAddress{IpNetwork{IpAddress::ipv4(1, 2, 3, 4), 33}, 0}};
  CHECK_FALSE(builder.add(bad).ok());
  bad.addresses.clear();
  bad.numbers.caller_lengths = {40};
  CHECK(builder.add(bad).error().message.find("customer \"b\"") == 0);
  CHECK(builder.build().size() == 1);
  CHECK(builder.build().size() == 0);
}

TEST_CASE("SourceAddress: every form is read and written back, names are refused") {
  for (const char* text : {"192.0.2.1", "192.0.2.0/24", "192.0.2.1:5070", "2001:db8::1",
                           "2001:db8::/32", "[2001:db8::1]:5061"}) {
    const auto address = SourceAddress::parse(text);
    REQUIRE(address.ok());
    CHECK(address->to_string() == text);
  }
  for (const char* text : {"", "sip.example.net", "192.0.2.1/33", "192.0.2.1:70000", "1.2.3"}) {
    CHECK_FALSE(SourceAddress::parse(text).ok());
  }
}

TEST_CASE("SourceTable: A-03 random tables answer as trying every customer does") {
  SeededRandom random(11);
  std::size_t identified = 0, restricted = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<CustomerSource> customers;
    for (std::uint64_t i = random.below(12); i > 0; --i) {
      CustomerSource c =
          customer("c" + std::to_string(random.below(1000)) + "-" + std::to_string(i), {},
                   static_cast<int>(random.below(3)));
      for (std::uint64_t n = random.below(4); n > 0; --n) {
        const auto ip = IpAddress::ipv4(10, static_cast<std::uint8_t>(random.below(2)), 0,
                                        static_cast<std::uint8_t>(random.below(4)));
        const std::uint8_t lengths[] = {32, 32, 31, 24, 8, 0};
        const std::uint8_t length = lengths[random.below(6)];
        c.addresses.push_back({IpNetwork{ip, length}, static_cast<std::uint16_t>(random.below(3))});
      }
      if (random.below(2) == 0) c.numbers.allow_caller_prefixes = {random.below(2) ? "1" : "2"};
      customers.push_back(std::move(c));
    }
    const SourceTable table = table_of(customers);
    for (int i = 0; i < 200; ++i) {
      const SocketAddress from{IpAddress::ipv4(10, static_cast<std::uint8_t>(random.below(2)), 0,
                                               static_cast<std::uint8_t>(random.below(4))),
                               static_cast<std::uint16_t>(1 + random.below(2))};
      const std::string caller = std::to_string(random.below(4));
      std::optional<std::size_t> best, accepting;
      const auto before = [&](std::size_t a, std::optional<std::size_t> b) {
        if (!b) return true;
        return std::tie(customers[a].priority, customers[a].id) <
               std::tie(customers[*b].priority, customers[*b].id);
      };
      for (std::size_t c = 0; c < customers.size(); ++c) {
        const bool matches = std::any_of(
            customers[c].addresses.begin(), customers[c].addresses.end(), [&](const auto& a) {
              return a.network.contains(from.ip) && (a.port == 0 || a.port == from.port);
            });
        if (!matches) continue;
        if (before(c, best)) best = c;
        const auto& allow = customers[c].numbers.allow_caller_prefixes;
        if ((allow.empty() || caller.starts_with(allow[0])) && before(c, accepting)) accepting = c;
      }
      const SourceMatch match = table.identify(from, caller, "5");
      if (accepting) {
        REQUIRE(match.outcome == SourceMatch::Outcome::identified);
        REQUIRE(match.customer == *accepting);
        ++identified;
      } else if (best) {
        REQUIRE(match.outcome == SourceMatch::Outcome::restricted);
        REQUIRE(match.customer == *best);
        REQUIRE(match.restriction == NumberVerdict::caller_not_allowed);
        ++restricted;
      } else {
        REQUIRE(match.outcome == SourceMatch::Outcome::unknown);
      }
    }
  }
  CHECK(identified > 1000);
  CHECK(restricted > 500);
}

TEST_CASE("SourceTable: an address of a name takes nobody's calls who was added with it (A-03)") {
  SourceTable::Builder builder;
  REQUIRE(builder.add({"acme", {}, 0, false, {}}).ok());
  REQUIRE(builder.add({"zeta", {SourceAddress::parse("10.0.0.0/24").value()}, 9, false, {}}).ok());
  const SourceTable fixed = builder.build();
  const auto at = [](const char* text) { return SocketAddress::parse(text).value(); };
  const SourceTable named = fixed.with({{0, SourceAddress::parse("10.0.0.7").value()},
                                        {0, SourceAddress::parse("10.0.1.7").value()}});
  CHECK(named.identify(at("10.0.0.7:5060"), "1", "2").customer == 1);
  CHECK(named.identify(at("10.0.1.7:5060"), "1", "2").customer == 0);
  CHECK(fixed.identify(at("10.0.1.7:5060"), "1", "2").outcome == SourceMatch::Outcome::unknown);
  CHECK(named.owner_of(at("10.0.0.7:5060")) == std::optional<std::uint32_t>(1));
  CHECK_FALSE(named.owner_of(at("10.0.1.7:5060")));  // by a name is not by configuration
}
