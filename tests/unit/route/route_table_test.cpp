#include "tandem/route_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <vector>

#include "route/lines.hpp"
#include "tandem/clock.hpp"

using namespace tandem;

namespace {

VendorRoute vendor(std::string gateway, std::vector<std::string> prefixes, int priority = 0,
                   int line_limit = -1) {
  VendorRoute route;
  route.gateway = std::move(gateway);
  route.prefixes = std::move(prefixes);
  route.priority = priority;
  route.line_limit = line_limit;
  return route;
}

RouteTable table_of(std::vector<VendorRoute> vendors) {
  RouteTable::Builder builder;
  for (VendorRoute& v : vendors)
    REQUIRE(builder.add(std::move(v)).ok());
  return builder.build();
}

RouteQuery query(std::string_view called) {
  RouteQuery q;
  q.called = called;
  return q;
}

/// "A B C", in order of trial.
std::string order(const RouteTable& table, const RouteQuery& q) {
  std::string names;
  for (const RouteCandidate& c : table.lookup(q)) {
    if (!names.empty()) names += ' ';
    names += c.gateway_name;
  }
  return names;
}

class Loads final : public LineLoad {
 public:
  explicit Loads(std::vector<std::uint32_t> current) : calls(std::move(current)) {}
  std::uint32_t current_calls(std::uint32_t gateway) const noexcept override {
    return calls[gateway];
  }
  std::vector<std::uint32_t> calls;
};

}  // namespace

TEST_CASE("RouteTable: R-01 a vendor is found by any of its prefixes and the longest one counts") {
  const RouteTable table = table_of({vendor("a", {"44", "4470", "1"}), vendor("b", {"447"})});
  const auto found = table.lookup(query("4470012345"));
  REQUIRE(found.size() == 2);
  CHECK(found[0].gateway_name == "a");
  CHECK(found[0].prefix == "4470");
  CHECK(found[0].prefix_length == 4);
  CHECK(found[0].rank == 0);
  CHECK(found[1].gateway_name == "b");
  CHECK(found[1].prefix == "447");
  CHECK(found[1].rank == 1);
  CHECK(order(table, query("4412")) == "a");
  CHECK(order(table, query("33")) == "");
  CHECK(order(table, query("4")) == "");
}

TEST_CASE(
    "RouteTable: R-01 no prefixes and the empty prefix match every number, behind longer ones") {
  const RouteTable table =
      table_of({vendor("all", {}), vendor("also", {""}), vendor("uk", {"44"}, 9)});
  CHECK(order(table, query("442079460000")) == "uk all also");
  CHECK(order(table, query("33")) == "all also");
  CHECK(table.lookup(query("33"))[0].prefix == "");
}

TEST_CASE("RouteTable: R-01 letters, marks and 32 characters are prefixes like any other") {
  const std::string longest = "a*1#b_0+9876543210abcdefXYZ01234";
  REQUIRE(longest.size() == 32);
  const RouteTable table =
      table_of({vendor("mark", {"a"}), vendor("case", {"A"}), vendor("long", {longest}),
                vendor("digits", {"01234567890123456789012345678901"})});
  CHECK(order(table, query("a4420")) == "mark");
  CHECK(order(table, query("A4420")) == "case");
  CHECK(order(table, query(longest)) == "long mark");
  CHECK(order(table, query(longest.substr(0, 31))) == "mark");
  CHECK(order(table, query("01234567890123456789012345678901")) == "digits");
  CHECK(order(table, query("0123456789012345678901234567890")) == "");
}

TEST_CASE("RouteTable: R-01 what is not 1..32 characters of a number matches nothing") {
  const RouteTable table = table_of({vendor("all", {})});
  CHECK(order(table, query("")) == "");
  CHECK(order(table, query(std::string(33, '4'))) == "");
  CHECK(order(table, query("44 20")) == "");
  CHECK(order(table, query("44\0"
                           "1")) == "all");  // The literal ends at the NUL: "44".
  CHECK(order(table, query(std::string_view("44\0"
                                            "1",
                                            4))) == "");
  CHECK(order(RouteTable(), query("44")) == "");
}

TEST_CASE(
    "RouteTable: number lists judge the callee, not the number that steers (N-06, R-19, R-20)") {
  VendorRoute barred = vendor("barred", {"a"}), sized = vendor("sized", {"a"});
  barred.numbers.deny_callee_prefixes = {"4420"};
  sized.numbers.callee_lengths = {6};
  const RouteTable table = table_of({barred, sized, vendor("other", {"a"})});
  RouteQuery q = query("a442079");
  CHECK_MESSAGE(order(table, q) == "barred other", "without a callee the called number is judged");
  q.callee = "442079";
  CHECK(order(table, q) == "other sized");
  CHECK(table.explain(q).excluded.at(0).number == NumberVerdict::callee_denied);
  q.callee = "447900";
  CHECK(order(table, q) == "barred other sized");
}

TEST_CASE("RouteTable: R-02 worked example: extension gives A, B, C and expiration gives A only") {
  VendorRoute a = vendor("A", {"447"}, 1);
  const VendorRoute b = vendor("B", {"44"}, 0);
  const VendorRoute c = vendor("C", {}, 0);
  CHECK(order(table_of({a, b, c}), query("4470012345")) == "A B C");
  a.prefix_mode = PrefixMode::expiration;
  CHECK(order(table_of({a, b, c}), query("4470012345")) == "A");
  CHECK(order(table_of({a, b, c}), query("4412")) == "B C");
}

TEST_CASE("RouteTable: R-02 a lookup among shorter prefixes goes on where another one ended") {
  VendorRoute a = vendor("A", {"447"});
  a.prefix_mode = PrefixMode::expiration;
  VendorRoute b = vendor("B", {"44"});
  b.prefix_mode = PrefixMode::expiration;
  b.numbers.callee_lengths = {10};  // of the whole number
  const RouteTable table = table_of({a, b, vendor("C", {}), vendor("D", {"4", "447"})});
  RouteQuery q = query("4470012345");
  CHECK(order(table, q) == "A D");
  q.shorter_than = 3;
  CHECK(order(table, q) == "B");
  CHECK(table.lookup(q)[0].prefix == "44");
  q.shorter_than = 2;
  CHECK(order(table, q) == "D C");
  q.shorter_than = 1;
  CHECK(order(table, q) == "C");
  q.shorter_than = 200;
  CHECK(order(table, q) == "A D");
  q.called = "";
  CHECK(order(table, q) == "");
}

TEST_CASE("RouteTable: R-02 expiration ends behind its whole level, and only when it is eligible") {
  VendorRoute a = vendor("A", {"447"}, 1);
  a.prefix_mode = PrefixMode::expiration;
  const VendorRoute same_level = vendor("Z", {"447"}, 5);
  const VendorRoute shorter = vendor("S", {"44"});
  CHECK(order(table_of({a, same_level, shorter}), query("4470")) == "A Z");
  a.locked = true;
  CHECK(order(table_of({a, same_level, shorter}), query("4470")) == "Z S");
  a.locked = false;
  a.deny_customers = {"cust"};
  const RouteTable table = table_of({a, same_level, shorter});
  RouteQuery q = query("4470");
  q.customer = "cust";
  CHECK(order(table, q) == "Z S");
  q.customer = "other";
  CHECK(order(table, q) == "A Z");
}

TEST_CASE("RouteTable: R-03 smaller priority first, but never before a longer prefix") {
  const RouteTable table = table_of({vendor("p2", {"44"}, 2), vendor("p0", {"44"}, 0),
                                     vendor("p65535", {"44"}, 65535), vendor("far", {"442"}, 9)});
  CHECK(order(table, query("44207")) == "far p0 p2 p65535");
  CHECK(table.lookup(query("44207"))[3].priority == 65535);
}

TEST_CASE("RouteTable: R-04 worked example: A 30/100, B 10/50, C 0/unlimited give C, B, A") {
  const RouteTable table =
      table_of({vendor("A", {"44"}, 0, 100), vendor("B", {"44"}, 0, 50), vendor("C", {"44"})});
  const Loads loads({30, 10, 0});
  RouteQuery q = query("4420");
  q.load = &loads;
  CHECK(order(table, q) == "C B A");
  const auto found = table.lookup(q);
  CHECK(found[1].load_calls == 10);
  CHECK(found[1].load_limit == 50);
}

TEST_CASE("RouteTable: R-04 load ratios are compared exactly") {
  // 1/3 < 333333334/1000000000 by one part in three billion; as floats they are equal.
  const RouteTable table = table_of({vendor("a", {"1"}, 0, 1000000000), vendor("b", {"1"}, 0, 3)});
  const Loads loads({333333334, 1});
  RouteQuery q = query("1");
  q.load = &loads;
  CHECK(order(table, q) == "b a");
}

TEST_CASE(
    "RouteTable: R-10 a vendor without lines comes last in its set, over-full ones before it") {
  const RouteTable table = table_of(
      {vendor("a_none", {"1"}, 0, 0), vendor("b_over", {"1"}, 0, 2), vendor("c", {"1"}, 0, 10)});
  const Loads loads({0, 7, 9});
  RouteQuery q = query("1");
  q.load = &loads;
  CHECK(order(table, q) == "c b_over a_none");
}

TEST_CASE("RouteTable: R-04 400 held calls over capacities 1:3 land 1:3, off by one call at most") {
  const RouteTable table =
      table_of({vendor("small", {"44"}, 0, 1000), vendor("large", {"44"}, 0, 3000)});
  RouteRotation rotation(table);
  route::LineCounters counters;
  const route::VendorLines lines(table, counters);
  std::vector<route::LineLease> held;
  RouteQuery q = query("442079460000");
  q.load = &lines;
  q.rotation = &rotation;
  for (int i = 0; i < 400; ++i) {
    RouteCandidate best;
    REQUIRE(table.lookup(q, {&best, 1}) == 1);
    held.push_back(lines.try_take(best.gateway, 0));
    REQUIRE(held.back().held());
  }
  CHECK(lines.current_calls(0) >= 99);
  CHECK(lines.current_calls(0) <= 101);
  CHECK(lines.current_calls(0) + lines.current_calls(1) == 400);
}

TEST_CASE("RouteTable: R-04 rotation goes by name and starts with the first, set by set") {
  const RouteTable table = table_of({vendor("c", {"44"}), vendor("a", {"44", "33"}),
                                     vendor("b", {"44", "33"}), vendor("z", {"44"}, 1)});
  RouteRotation rotation(table);
  RouteQuery q = query("4420");
  q.rotation = &rotation;
  CHECK(order(table, q) == "a b c z");
  CHECK(order(table, q) == "b c a z");
  q.called = "33";
  CHECK(order(table, q) == "a b");  // A set of its own.
  q.called = "4499";
  CHECK(order(table, q) == "c a b z");
  CHECK(order(table, q) == "a b c z");
  q.called = "33";
  CHECK(order(table, q) == "b a");
}

TEST_CASE("RouteTable: R-04 ties left by load alternate although a loaded vendor stands between") {
  const RouteTable table =
      table_of({vendor("a", {"1"}), vendor("b", {"1"}), vendor("c", {"1"}, 0, 10)});
  RouteRotation rotation(table);
  const Loads loads({0, 0, 5});
  RouteQuery q = query("1");
  q.load = &loads;
  q.rotation = &rotation;
  int a_first = 0;
  for (int i = 0; i < 300; ++i)
    a_first += table.lookup(q)[0].gateway_name == "a";
  CHECK(a_first == 150);
}

TEST_CASE("RouteTable: R-04 turns are carried to the next table by name") {
  const RouteTable before =
      table_of({vendor("a", {"44"}), vendor("b", {"44"}), vendor("c", {"44"})});
  RouteRotation turns(before);
  RouteQuery q = query("44");
  q.rotation = &turns;
  CHECK(order(before, q) == "a b c");
  CHECK(order(before, q) == "b c a");

  SUBCASE("with the one that went last still there") {
    const RouteTable now =
        table_of({vendor("aa", {"44"}), vendor("d", {"44"}), vendor("b", {"44", "55"})});
    RouteRotation carried(now, before, turns);
    q.rotation = &carried;
    CHECK(order(now, q) == "d aa b");
  }
  SUBCASE("with the one that went last gone") {
    const RouteTable now = table_of({vendor("a", {"44"}), vendor("c", {"44"})});
    RouteRotation carried(now, before, turns);
    q.rotation = &carried;
    CHECK(order(now, q) == "c a");
  }
  SUBCASE("into a table without that set") {
    const RouteTable now = table_of({vendor("a", {"44"}, 3), vendor("c", {"44"}, 3)});
    RouteRotation carried(now, before, turns);
    q.rotation = &carried;
    CHECK(order(now, q) == "a c");
  }
}

TEST_CASE(
    "RouteTable: R-09 allow and deny lists of customers skip the vendor for those they name") {
  VendorRoute only = vendor("only", {"44"});
  only.allow_customers = {"gold", "silver"};
  VendorRoute except = vendor("except", {"44"});
  except.deny_customers = {"bronze", "gold"};
  const RouteTable table = table_of({only, except, vendor("open", {"44"})});
  RouteQuery q = query("44");
  q.customer = "gold";
  CHECK(order(table, q) == "only open");
  q.customer = "silver";
  CHECK(order(table, q) == "except only open");
  q.customer = "bronze";
  CHECK(order(table, q) == "open");
  q.customer = "unlisted";
  CHECK(order(table, q) == "except open");
  q.customer = "";
  CHECK(order(table, q) == "except open");
}

TEST_CASE("RouteTable: R-14 a locked vendor is no candidate") {
  VendorRoute locked = vendor("locked", {"44"});
  locked.locked = true;
  CHECK(order(table_of({locked, vendor("open", {"4"})}), query("44")) == "open");
}

TEST_CASE("RouteTable: N-06 lengths and prefix lists of a vendor skip it") {
  VendorRoute picky = vendor("picky", {"44"});
  picky.numbers.callee_lengths = {10, 12};
  picky.numbers.deny_caller_prefixes = {"00"};
  const RouteTable table = table_of({picky});
  RouteQuery q = query("4412345678");
  CHECK(order(table, q) == "picky");
  q.calling = "0049";
  CHECK(order(table, q) == "");
  q.calling = "49";
  CHECK(order(table, q) == "picky");
  q.called = "44123456789";
  CHECK(order(table, q) == "");
}

TEST_CASE("RouteTable: R-23 explain places every vendor once and names what keeps it out") {
  VendorRoute expiring = vendor("expiring", {"447"}, 3);
  expiring.prefix_mode = PrefixMode::expiration;
  VendorRoute locked = vendor("locked", {"447"});
  locked.locked = true;
  VendorRoute foreign = vendor("foreign", {"4"});
  foreign.allow_customers = {"gold"};
  VendorRoute shorts = vendor("shorts", {"447", "44"});
  shorts.numbers.callee_lengths = {4};
  const RouteTable table =
      table_of({expiring, locked, foreign, shorts, vendor("behind", {"44"}),
                vendor("elsewhere", {"33"}), vendor("both", {"447", "44"}, 4)});
  const RouteExplanation e = table.explain(query("447700900123"));

  REQUIRE(e.candidates.size() == 2);
  CHECK(e.candidates[0].gateway_name == "expiring");
  CHECK(e.candidates[1].gateway_name == "both");
  std::string text;
  for (const RouteExclusion& x : e.excluded) {
    text += std::string(x.gateway_name) + "=" + route_exclusion_reason_name(x.reason);
    if (x.number != NumberVerdict::accepted) {
      text += std::string("/") + number_verdict_name(x.number);
    }
    text += ' ';
  }
  CHECK(text ==
        "locked=locked foreign=customer_not_allowed shorts=number_restricted/callee_length "
        "behind=shorter_prefix_behind_expiration elsewhere=no_prefix_match ");
}

TEST_CASE("RouteTable: R-23 explain says what the next lookup does and takes no turn") {
  const RouteTable table = table_of({vendor("a", {"1"}), vendor("b", {"1"})});
  RouteRotation rotation(table);
  RouteQuery q = query("1");
  q.rotation = &rotation;
  for (int i = 0; i < 5; ++i) {
    const std::string_view expected = table.explain(q).candidates[0].gateway_name;
    CHECK(table.explain(q).candidates[0].gateway_name == expected);
    CHECK(table.lookup(q)[0].gateway_name == expected);
  }
}

TEST_CASE("RouteTable: a short answer holds the best of the whole order") {
  std::vector<VendorRoute> vendors;
  std::vector<std::uint32_t> calls;
  SeededRandom random(7);
  for (int i = 0; i < 60; ++i) {
    vendors.push_back(vendor("g" + std::to_string(i), {i % 2 ? "44" : "447", "4"},
                             static_cast<int>(random.below(3)), 100));
    calls.push_back(static_cast<std::uint32_t>(random.below(100)));
  }
  const RouteTable table = table_of(vendors);
  const Loads loads(calls);
  RouteQuery q = query("4471");
  q.load = &loads;
  const auto whole = table.lookup(q);
  REQUIRE(whole.size() == 60);
  for (std::size_t size = 0; size <= 60; ++size) {
    std::array<RouteCandidate, 60> out;
    REQUIRE(table.lookup(q, std::span(out).first(size)) == size);
    for (std::size_t i = 0; i < size; ++i)
      REQUIRE(out[i].gateway == whole[i].gateway);
  }
}

TEST_CASE("RouteTable: a refused vendor names its value and leaves the builder as it was") {
  RouteTable::Builder builder;
  REQUIRE(builder.add(vendor("a", {"44"})).ok());
  const auto refusal = [&](VendorRoute v) {
    auto result = builder.add(std::move(v));
    REQUIRE_FALSE(result.ok());
    return result.error();
  };
  CHECK(refusal(vendor("a", {"55"})).code == ErrorCode::already_exists);
  CHECK(refusal(vendor("a", {"55"})).message == "gateway \"a\" was added before");
  CHECK(refusal(vendor("", {})).code == ErrorCode::invalid_argument);
  CHECK(refusal(vendor(std::string(256, 'x'), {})).code == ErrorCode::invalid_argument);
  CHECK(refusal(vendor("b", {"44-1"})).message.find("\"44-1\"") != std::string::npos);
  CHECK(refusal(vendor("b", {std::string(33, '1')})).code == ErrorCode::invalid_argument);
  CHECK(refusal(vendor("b", {"1"}, -1)).message.find("priority -1") != std::string::npos);
  CHECK(refusal(vendor("b", {"1"}, 65536)).code == ErrorCode::invalid_argument);
  CHECK(refusal(vendor("b", {"1"}, 0, -2)).code == ErrorCode::invalid_argument);
  VendorRoute both = vendor("b", {"1"});
  both.allow_customers = both.deny_customers = {"x"};
  CHECK(refusal(both).code == ErrorCode::invalid_argument);
  VendorRoute lengths = vendor("b", {"1"});
  lengths.numbers.caller_lengths = {33};
  CHECK(refusal(lengths).message.find("33") != std::string::npos);

  const RouteTable table = builder.build();
  CHECK(table.size() == 1);
  CHECK(table.prefix_count() == 1);
  CHECK(builder.build().size() == 0);
}

TEST_CASE("RouteTable: repeated prefixes of a vendor count once") {
  const RouteTable table = table_of({vendor("a", {"44", "44", "1", "44"}), vendor("b", {"44"})});
  CHECK(table.row_count() == 3);
  CHECK(table.prefix_count() == 2);
  CHECK(order(table, query("44")) == "a b");
}

TEST_CASE("RouteTable: prefixes with equal sets of vendors share one") {
  std::vector<std::string> deck;
  for (int i = 0; i < 20000; ++i)
    deck.push_back(std::to_string(100000 + i));
  std::vector<VendorRoute> vendors;
  for (int v = 0; v < 10; ++v)
    vendors.push_back(vendor("v" + std::to_string(v), deck, v));
  const RouteTable table = table_of(vendors);
  CHECK(table.row_count() == 200000);
  // 200,000 rows of 4 bytes would be 800,000 bytes by themselves.
  CHECK(table.memory_bytes() < 20000 * 45 + 200000);
}

TEST_CASE("RouteTable: copies and threads share one body") {
  RouteTable copy;
  {
    const RouteTable table = table_of({vendor("a", {"44"}), vendor("b", {"44"})});
    copy = table;
  }
  RouteRotation rotation(copy);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      RouteQuery q = query("4420");
      q.rotation = &rotation;
      std::array<RouteCandidate, 4> out;
      for (int i = 0; i < 20000; ++i) {
        if (copy.lookup(q, out) != 2 || out[0].gateway == out[1].gateway) ++wrong;
      }
    });
  }
  for (std::thread& t : threads)
    t.join();
  CHECK(wrong == 0);
}

namespace {

/// The rules of R-01..R-04, R-09, R-14 and N-06 read off the reference, without any structure.
class Oracle {
 public:
  std::vector<VendorRoute> vendors;
  struct Turn {
    std::string prefix;
    int priority;
    std::uint32_t last;  // Vendor that went first last.
  };
  std::vector<Turn> turns;

  std::vector<std::uint32_t> order(const RouteQuery& q, const std::vector<std::uint32_t>& calls) {
    struct Key {
      std::size_t length;
      int priority;
      std::uint64_t load_calls, load_limit;
      std::size_t sequence;
      std::uint32_t gateway;
    };
    std::vector<Key> keys;
    std::size_t expired = 0;  // Longest prefix with an eligible expiring vendor.
    for (std::uint32_t g = 0; g < vendors.size(); ++g) {
      const VendorRoute& v = vendors[g];
      const auto length = match(v, q.called);
      if (length < 0 || !eligible(v, q)) continue;
      const auto prefix_length = static_cast<std::size_t>(length);
      if (v.prefix_mode == PrefixMode::expiration) expired = std::max(expired, prefix_length);
      const bool bounded = v.line_limit > 0;
      keys.push_back({prefix_length, v.priority,
                      v.line_limit == 0 ? 1u
                      : bounded         ? calls[g]
                                        : 0u,
                      v.line_limit == 0 ? 0u
                      : bounded         ? static_cast<std::uint64_t>(v.line_limit)
                                        : 1u,
                      0, g});
    }
    std::erase_if(keys, [&](const Key& k) { return k.length < expired; });
    for (Key& k : keys)
      k.sequence = sequence(q.called.substr(0, k.length), k.priority, k.gateway);
    std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
      if (a.length != b.length) return a.length > b.length;
      if (a.priority != b.priority) return a.priority < b.priority;
      if (a.load_calls * b.load_limit != b.load_calls * a.load_limit) {
        return a.load_calls * b.load_limit < b.load_calls * a.load_limit;
      }
      return a.sequence < b.sequence;
    });
    std::vector<std::uint32_t> answer;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      answer.push_back(keys[i].gateway);
      if (i == 0 || keys[i].length != keys[i - 1].length ||
          keys[i].priority != keys[i - 1].priority) {
        const auto prefix = q.called.substr(0, keys[i].length);
        if (Turn* turn = find_turn(prefix, keys[i].priority)) {
          turn->last = keys[i].gateway;
        } else {
          turns.push_back({std::string(prefix), keys[i].priority, keys[i].gateway});
        }
      }
    }
    return answer;
  }

  static int match(const VendorRoute& v, std::string_view called) {
    if (v.prefixes.empty()) return 0;
    int best = -1;
    for (const std::string& p : v.prefixes) {
      if (called.starts_with(p)) best = std::max(best, static_cast<int>(p.size()));
    }
    return best;
  }

 private:
  static bool eligible(const VendorRoute& v, const RouteQuery& q) {
    const auto has = [](const std::vector<std::string>& list, std::string_view name) {
      return std::find(list.begin(), list.end(), name) != list.end();
    };
    const auto begins = [](const std::vector<std::string>& list, std::string_view number) {
      return std::any_of(list.begin(), list.end(),
                         [&](const std::string& p) { return number.starts_with(p); });
    };
    if (v.locked) return false;
    if (!v.allow_customers.empty() && !has(v.allow_customers, q.customer)) return false;
    if (has(v.deny_customers, q.customer)) return false;
    const auto& lengths = v.numbers.callee_lengths;
    if (!lengths.empty() && std::find(lengths.begin(), lengths.end(),
                                      static_cast<int>(q.called.size())) == lengths.end()) {
      return false;
    }
    const auto& n = v.numbers;
    if (!n.allow_caller_prefixes.empty() && !begins(n.allow_caller_prefixes, q.calling)) {
      return false;
    }
    return !begins(n.deny_callee_prefixes, q.called);
  }

  /// Place in the set by name, counted from the one after the last first one. The set has every
  /// vendor with the prefix, eligible or not.
  std::size_t sequence(std::string_view prefix, int priority, std::uint32_t gateway) {
    const Turn* const turn = find_turn(prefix, priority);
    std::size_t members = 0, before = 0, due = 0;
    for (const VendorRoute& v : vendors) {
      if (v.priority != priority) continue;
      const bool has = v.prefixes.empty() ? prefix.empty()
                                          : std::find(v.prefixes.begin(), v.prefixes.end(),
                                                      prefix) != v.prefixes.end();
      if (!has) continue;
      ++members;
      before += v.gateway < vendors[gateway].gateway;
      due += turn && v.gateway <= vendors[turn->last].gateway;
    }
    return (before + members - due % members) % members;
  }

  Turn* find_turn(std::string_view prefix, int priority) {
    for (Turn& t : turns) {
      if (t.priority == priority && t.prefix == prefix) return &t;
    }
    return nullptr;
  }
};

std::string random_text(Random& random, std::size_t length, std::string_view alphabet) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i)
    text += alphabet[random.below(alphabet.size())];
  return text;
}

}  // namespace

TEST_CASE(
    "RouteTable: R-01..R-04, R-09, R-14, N-06 a million random lookups equal the plain rules") {
  SeededRandom random(20261125);
  std::size_t queries = 0, candidates = 0, longest = 0;
#ifdef __OPTIMIZE__
  constexpr int rounds = 2000;
#else
  constexpr int rounds =
      200;  // The million is for optimised builds; this one takes 20 times as long.
#endif
  for (int round = 0; round < rounds; ++round) {
    // Small alphabets make nested prefixes common; some rounds are digits only, where the table
    // goes another way than with letters.
    const std::string_view alphabet = round % 3 == 0 ? "01" : round % 3 == 1 ? "0a" : "19b#";
    const bool is_long = round % 5 == 0;
    const std::string stem = is_long ? random_text(random, 20, alphabet) : "";
    Oracle oracle;
    RouteTable::Builder builder;
    const std::size_t vendor_count = 1 + random.below(7);
    for (std::size_t v = 0; v < vendor_count; ++v) {
      VendorRoute route =
          vendor(random_text(random, 3, "abc") + std::to_string(v), {},
                 static_cast<int>(random.below(2)), static_cast<int>(random.below(5)) - 1);
      for (std::size_t p = random.below(4); p > 0; --p) {
        const std::size_t cut = is_long ? random.below(21) : 0;
        route.prefixes.push_back(stem.substr(0, cut) +
                                 random_text(random, random.below(is_long ? 13 : 5), alphabet));
      }
      if (random.below(3) == 0) route.prefix_mode = PrefixMode::expiration;
      if (random.below(8) == 0) route.locked = true;
      if (random.below(5) == 0)
        route.allow_customers = {"c1"};
      else if (random.below(5) == 0)
        route.deny_customers = {"c1", "c3"};
      if (random.below(6) == 0) route.numbers.callee_lengths = {3, 5, 7, 25};
      if (random.below(6) == 0) route.numbers.allow_caller_prefixes = {"1", "22"};
      if (random.below(6) == 0) route.numbers.deny_callee_prefixes = {"00", "1"};
      oracle.vendors.push_back(route);
      REQUIRE(builder.add(std::move(route)).ok());
    }
    const RouteTable table = builder.build();
    RouteRotation rotation(table);
    Loads loads{std::vector<std::uint32_t>(vendor_count)};
    std::array<RouteCandidate, 8> out;
    for (int i = 0; i < 500; ++i, ++queries) {
      for (std::uint32_t& calls : loads.calls)
        calls = static_cast<std::uint32_t>(random.below(3));
      std::string called = is_long ? stem : "";
      if (is_long) called.resize(random.below(21));
      called += random_text(random, 1 + random.below(is_long ? 12 : 8), alphabet);
      const std::string calling = random_text(random, random.below(4), "12");
      RouteQuery q = query(called);
      q.calling = calling;
      q.customer = i % 4 == 0 ? "c1" : i % 4 == 1 ? "c2" : i % 4 == 2 ? "c3" : "";
      q.load = &loads;
      q.rotation = &rotation;
      longest = std::max(longest, called.size());

      const bool explains = i % 25 == 0;
      RouteExplanation explanation;
      if (explains) explanation = table.explain(q);
      const auto expected = oracle.order(q, loads.calls);
      const std::size_t count = table.lookup(q, out);
      const bool equal = std::equal(
          expected.begin(), expected.end(), out.begin(), out.begin() + count,
          [](std::uint32_t gateway, const RouteCandidate& c) { return gateway == c.gateway; });
      if (!equal) FAIL("round " << round << ", called " << called << ", query " << i);
      candidates += count;
      if (!explains) continue;
      REQUIRE(explanation.candidates.size() == count);
      REQUIRE(explanation.excluded.size() + count == vendor_count);
      for (std::size_t c = 0; c < count; ++c) {
        REQUIRE(explanation.candidates[c].gateway == out[c].gateway);
      }
      for (const RouteExclusion& x : explanation.excluded) {
        REQUIRE((x.reason == RouteExclusionReason::no_prefix_match) ==
                (Oracle::match(oracle.vendors[x.gateway], called) < 0));
      }
    }
  }
  CHECK(queries == rounds * 500u);
  CHECK(candidates > queries / 2);
  CHECK(longest == 32);
}

TEST_CASE("RouteTable: R-03, R-04 sets of hundreds of vendors equal the plain rules") {
  SeededRandom random(64);
  std::size_t wrong = 0, candidates = 0;
  for (int round = 0; round < 30; ++round) {
    Oracle oracle;
    RouteTable::Builder builder;
    // Sets begin, end and have gaps anywhere, also at multiples of 64.
    const std::size_t vendor_count = 60 + random.below(300);
    const std::uint64_t priorities = 1 + random.below(round % 2 == 0 ? 4 : 400);
    for (std::size_t v = 0; v < vendor_count; ++v) {
      VendorRoute route =
          vendor(random_text(random, 2, "abc") + std::to_string(v), {},
                 static_cast<int>(random.below(priorities)), static_cast<int>(random.below(4)) - 1);
      for (std::uint64_t digit = 0; digit < 6; ++digit) {
        if (random.below(digit + 1) == 0) route.prefixes.push_back("4" + std::to_string(digit));
      }
      if (random.below(3) == 0) route.prefixes.push_back("4");
      oracle.vendors.push_back(route);
      REQUIRE(builder.add(std::move(route)).ok());
    }
    const RouteTable table = builder.build();
    RouteRotation rotation(table);
    Loads loads{std::vector<std::uint32_t>(vendor_count)};
    std::vector<RouteCandidate> out(vendor_count);
    for (int i = 0; i < 40; ++i) {
      for (std::uint32_t& calls : loads.calls)
        calls = static_cast<std::uint32_t>(random.below(3));
      const std::string called = "4" + std::to_string(random.below(8)) + "1";
      RouteQuery q = query(called);
      q.load = &loads;
      q.rotation = &rotation;
      const RouteExplanation explanation = table.explain(q);
      const auto expected = oracle.order(q, loads.calls);
      const std::size_t count = table.lookup(q, out);
      const auto is_gateway = [](std::uint32_t gateway, const RouteCandidate& c) {
        return gateway == c.gateway;
      };
      wrong += !std::equal(expected.begin(), expected.end(), out.begin(),
                           out.begin() + static_cast<std::ptrdiff_t>(count), is_gateway);
      wrong += !std::equal(expected.begin(), expected.end(), explanation.candidates.begin(),
                           explanation.candidates.end(), is_gateway);
      wrong += explanation.excluded.size() + count != vendor_count;
      candidates += count;
    }
  }
  CHECK(wrong == 0);
  CHECK(candidates > 50'000);
}
