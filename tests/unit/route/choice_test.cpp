// The order of R-04 with what a query knows: policies, protect vendors, hours.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "route/lines.hpp"
#include "tandem/clock.hpp"
#include "tandem/route_table.hpp"

using namespace tandem;

namespace {

VendorRoute vendor(std::string gateway, std::vector<std::string> prefixes, int priority = 0) {
  VendorRoute route;
  route.gateway = std::move(gateway);
  route.prefixes = std::move(prefixes);
  route.priority = priority;
  return route;
}

RouteTable table_of(std::vector<VendorRoute> vendors) {
  RouteTable::Builder builder;
  for (VendorRoute& v : vendors)
    REQUIRE(builder.add(std::move(v)).ok());
  return builder.build();
}

/// What a test says about its vendors, by index; vendors beyond the end stay as they are.
class Facts final : public RouteConditions {
 public:
  struct One {
    std::int64_t price = -1;  // units of a period; -1: none
    std::int64_t per_s = 60;
    int percent = -1;
    int talk_time_s = -1;
    bool compares = true;
    bool is_closed = false;
    int priority = -1;
    int line_limit = -2;
  };
  std::vector<One> vendors;

  void judge(std::uint32_t gateway, const RouteQuery&,
             VendorStanding& standing) const noexcept override {
    if (gateway >= vendors.size()) return;
    const One& one = vendors[gateway];
    if (one.is_closed) standing.excluded = RouteExclusionReason::closed;
    if (one.price >= 0) {
      standing.price = Amount::from_units(one.price);
      standing.price_per_s = one.per_s;
    }
    standing.compares_price = one.compares;
    if (one.percent >= 0) standing.answer_percent = static_cast<std::uint32_t>(one.percent);
    if (one.talk_time_s >= 0) standing.talk_time_s = static_cast<std::uint32_t>(one.talk_time_s);
    if (one.priority >= 0) standing.priority = static_cast<std::uint16_t>(one.priority);
    if (one.line_limit >= -1) standing.line_limit = one.line_limit;
  }
};

RouteSort behind_priority(RoutePolicy first, RoutePolicy second = RoutePolicy::none) {
  RouteSort sort;
  sort.after_priority = {first, second};
  return sort;
}

RouteQuery query(std::string_view called, const Facts* facts = nullptr, RouteSort sort = {}) {
  RouteQuery q;
  q.called = called;
  q.conditions = facts;
  q.sort = sort;
  return q;
}

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

TEST_CASE("RouteTable: R-06 the lowest price of a second goes first, compared as a fraction") {
  const RouteTable table = table_of(
      {vendor("a", {"44"}), vendor("b", {"44"}), vendor("c", {"44"}), vendor("none", {"44"})});
  Facts facts;
  facts.vendors = {
      {.price = 100, .per_s = 60}, {.price = 1, .per_s = 1}, {.price = 99, .per_s = 60}};
  const RouteSort sort = behind_priority(RoutePolicy::lowest_rate);
  CHECK(order(table, query("4420", &facts, sort)) == "b c a none");
  facts.vendors[2] = {.price = 6, .per_s = 6};  // as dear as b: the name decides
  CHECK(order(table, query("4420", &facts, sort)) == "b c a none");
  facts.vendors[1] = {.price = 100'000'001, .per_s = 60'000'000};  // a hair dearer than a
  CHECK(order(table, query("4420", &facts, sort)) == "c a b none");
}

TEST_CASE("RouteTable: R-06 a vendor that is not compared only counts when it is the lowest") {
  const RouteTable table =
      table_of({vendor("a", {"44"}), vendor("b", {"44"}), vendor("c", {"44"})});
  Facts facts;
  facts.vendors = {
      {.price = 30, .compares = false}, {.price = 20}, {.price = 10, .compares = false}};
  const RouteSort sort = behind_priority(RoutePolicy::lowest_rate);
  CHECK(order(table, query("4420", &facts, sort)) == "c b a");
  facts.vendors[0].price = 15;  // dearer than the lowest: behind every price that is compared
  CHECK(order(table, query("4420", &facts, sort)) == "c b a");
  for (Facts::One& one : facts.vendors)
    one.compares = false;
  facts.vendors[1].price = 5;
  CHECK(order(table, query("4420", &facts, sort)) == "b a c");
}

TEST_CASE("RouteTable: R-05 a better answer ratio goes first, an unknown one counts as the mean") {
  const RouteTable table = table_of(
      {vendor("a", {"44"}), vendor("b", {"44"}), vendor("c", {"44"}), vendor("new", {"44"})});
  Facts facts;
  facts.vendors = {{.percent = 30}, {.percent = 70}, {.percent = 40}};  // the mean is 47
  const RouteSort sort = behind_priority(RoutePolicy::answer_ratio);
  CHECK(order(table, query("4420", &facts, sort)) == "b new c a");
  facts.vendors = {};
  CHECK(order(table, query("4420", &facts, sort)) == "a b c new");
}

TEST_CASE("RouteTable: R-05 a longer average talk goes first, an unknown one counts as the mean") {
  const RouteTable table = table_of(
      {vendor("a", {"44"}), vendor("b", {"44"}), vendor("c", {"44"}), vendor("new", {"44"})});
  Facts facts;
  facts.vendors = {{.talk_time_s = 30}, {.talk_time_s = 300}, {.talk_time_s = 90}};  // mean: 140
  CHECK(order(table, query("4420", &facts, behind_priority(RoutePolicy::talk_time))) ==
        "b new c a");
  facts.vendors = {{.percent = 50, .talk_time_s = 30},
                   {.percent = 50, .talk_time_s = 300},
                   {.percent = 60, .talk_time_s = 1},
                   {.percent = 50, .talk_time_s = 30}};
  CHECK(order(table, query("4420", &facts,
                           behind_priority(RoutePolicy::answer_ratio, RoutePolicy::talk_time))) ==
        "c b a new");
  CHECK_FALSE(behind_priority(RoutePolicy::talk_time).empty());
}

TEST_CASE("RouteTable: R-04 policies stand where the query puts them") {
  const RouteTable table = table_of(
      {vendor("long", {"447"}, 5), vendor("cheap", {"44"}, 9), vendor("first", {"44"}, 0)});
  Facts facts;
  facts.vendors = {{.price = 30}, {.price = 10}, {.price = 20}};
  RouteSort sort;
  CHECK(order(table, query("4470", &facts, sort)) == "long first cheap");
  sort.after_priority[0] = RoutePolicy::lowest_rate;
  CHECK(order(table, query("4470", &facts, sort)) == "long first cheap");
  sort = {};
  sort.after_prefix[0] = RoutePolicy::lowest_rate;
  CHECK(order(table, query("4470", &facts, sort)) == "long cheap first");
  sort = {};
  sort.before_prefix[0] = RoutePolicy::lowest_rate;
  CHECK(order(table, query("4470", &facts, sort)) == "cheap first long");
}

TEST_CASE("RouteTable: R-07 the second policy decides what the first leaves open") {
  const RouteTable table =
      table_of({vendor("a", {"44"}, 1), vendor("b", {"44"}, 2), vendor("c", {"44"}, 3)});
  Facts facts;
  facts.vendors = {
      {.price = 10, .percent = 40}, {.price = 10, .percent = 60}, {.price = 5, .percent = 40}};
  RouteSort sort;
  sort.after_prefix = {RoutePolicy::lowest_rate, RoutePolicy::answer_ratio};
  CHECK(order(table, query("4420", &facts, sort)) == "c b a");
  sort.after_prefix = {RoutePolicy::answer_ratio, RoutePolicy::lowest_rate};
  CHECK(order(table, query("4420", &facts, sort)) == "b c a");
}

TEST_CASE("RouteTable: R-08 protect vendors follow all others, whatever their prefix") {
  VendorRoute guard = vendor("guard", {"4470"});
  guard.protect = true;
  VendorRoute wide = vendor("wide", {}, 0);
  wide.protect = true;
  const RouteTable table = table_of({guard, wide, vendor("a", {"44"}, 9), vendor("b", {}, 9)});
  CHECK(order(table, query("447012")) == "a b guard wide");
  CHECK(order(table, query("33")) == "b wide");
  std::array<RouteCandidate, 1> best;
  REQUIRE(table.lookup(query("447012"), best) == 1);
  CHECK(best[0].gateway_name == "a");
}

TEST_CASE("RouteTable: R-08 a protect expiration hides protect vendors only (R-02)") {
  VendorRoute guard = vendor("guard", {"447"});
  guard.protect = true;
  guard.prefix_mode = PrefixMode::expiration;
  VendorRoute other = vendor("other", {"44"});
  other.protect = true;
  VendorRoute normal = vendor("normal", {"44"});
  CHECK(order(table_of({guard, other, normal}), query("4470")) == "normal guard");
  normal.prefixes = {"4470"};
  normal.prefix_mode = PrefixMode::expiration;
  CHECK(order(table_of({guard, other, normal}), query("4470")) == "normal");
}

TEST_CASE("RouteTable: R-13 a closed vendor is out, and its expiration with it") {
  VendorRoute shop = vendor("shop", {"447"});
  shop.prefix_mode = PrefixMode::expiration;
  const RouteTable table = table_of({shop, vendor("always", {"44"})});
  Facts facts;
  facts.vendors = {{.is_closed = true}};
  CHECK(order(table, query("4470", &facts)) == "always");
  const RouteExplanation explanation = table.explain(query("4470", &facts));
  REQUIRE(explanation.excluded.size() == 1);
  CHECK(explanation.excluded[0].reason == RouteExclusionReason::closed);
  facts.vendors[0].is_closed = false;
  CHECK(order(table, query("4470", &facts)) == "shop");
}

TEST_CASE("RouteTable: R-13 the priority and line limit of the moment replace the table's") {
  const RouteTable table =
      table_of({vendor("a", {"44"}, 1), vendor("b", {"44"}, 2), vendor("c", {"44"}, 2)});
  Facts facts;
  facts.vendors = {{.priority = 2, .line_limit = 10}, {.line_limit = 20}, {.line_limit = 0}};
  const Loads loads({5, 5, 0});
  RouteQuery q = query("4420", &facts);
  q.load = &loads;
  CHECK(order(table, q) == "b a c");  // 5/20, 5/10, no lines
}

TEST_CASE("RouteTable: R-04 equal vendors take turns behind policies too, each its share") {
  const RouteTable table =
      table_of({vendor("a", {"44"}), vendor("b", {"44"}), vendor("dear", {"44"})});
  RouteRotation rotation(table);
  Facts facts;
  facts.vendors = {{.price = 10}, {.price = 10}, {.price = 99}};
  RouteQuery q = query("4420", &facts, behind_priority(RoutePolicy::lowest_rate));
  q.rotation = &rotation;
  int first_a = 0;
  for (int i = 0; i < 100; ++i) {
    const auto found = table.lookup(q);
    REQUIRE(found.size() == 3);
    CHECK(found[2].gateway_name == "dear");
    first_a += found[0].gateway_name == "a" ? 1 : 0;
  }
  CHECK(first_a == 50);
}

TEST_CASE("RouteTable: R-04 a million chosen lookups equal the plain rules, also cut short") {
  SeededRandom random(404);
  std::size_t queries = 0;
#ifdef __OPTIMIZE__
  constexpr int rounds = 2000;
#else
  constexpr int rounds = 100;
#endif
  struct Plain {
    std::string name;
    bool is_protect;
    int prefix, priority, percent;
    std::int64_t price, per_s;
    bool compares;
    std::uint32_t calls;
    int limit;
  };
  for (int round = 0; round < rounds; ++round) {
    std::vector<VendorRoute> vendors;
    const std::size_t count = 1 + random.below(10);
    for (std::size_t v = 0; v < count; ++v) {
      VendorRoute route =
          vendor(std::string(1, static_cast<char>('a' + v)), {}, static_cast<int>(random.below(2)));
      const std::string_view all = "4470";
      for (std::size_t n = 1 + random.below(2); n > 0; --n)
        route.prefixes.emplace_back(all.substr(0, random.below(4)));
      route.protect = random.below(4) == 0;
      if (random.below(5) == 0) route.prefix_mode = PrefixMode::expiration;
      vendors.push_back(route);
    }
    const RouteTable table = table_of(vendors);
    const RoutePolicy policies[] = {RoutePolicy::none, RoutePolicy::answer_ratio,
                                    RoutePolicy::lowest_rate};
    for (int i = 0; i < 500; ++i, ++queries) {
      Facts facts;
      Loads loads({});
      for (std::size_t v = 0; v < count; ++v) {
        Facts::One one;
        if (random.below(5) != 0) one.price = static_cast<std::int64_t>(random.below(3));
        one.per_s = random.below(2) == 0 ? 1 : 2;
        if (random.below(3) != 0) one.percent = static_cast<int>(random.below(3)) * 10;
        one.compares = random.below(3) != 0;
        one.is_closed = random.below(6) == 0;
        if (random.below(4) == 0) one.priority = static_cast<int>(random.below(3));
        one.line_limit = static_cast<int>(random.below(4)) - 1;
        facts.vendors.push_back(one);
        loads.calls.push_back(static_cast<std::uint32_t>(random.below(3)));
      }
      RouteSort sort;
      for (RouteSort::Place* place :
           {&sort.before_prefix, &sort.after_prefix, &sort.after_priority}) {
        for (RoutePolicy& policy : *place)
          policy = policies[random.below(3)];
      }

      // The rules in plain words: two lists by R-02, each key a comparison.
      std::vector<Plain> plain;
      int normal_floor = -1, protect_floor = -1;  // shorter prefixes are behind an expiration
      for (int length = 4; length >= 0; --length) {
        int next_normal = normal_floor, next_protect = protect_floor;
        for (std::size_t v = 0; v < count; ++v) {
          int longest = -1;
          for (const std::string& prefix : vendors[v].prefixes)
            longest = std::max(longest, static_cast<int>(prefix.size()));
          if (longest != length || facts.vendors[v].is_closed) continue;
          const bool is_protect = vendors[v].protect;
          if (length < (is_protect ? protect_floor : normal_floor)) continue;
          const Facts::One& one = facts.vendors[v];
          plain.push_back({vendors[v].gateway, is_protect, length,
                           one.priority >= 0 ? one.priority : vendors[v].priority, one.percent,
                           one.price, one.per_s, one.compares, loads.calls[v], one.line_limit});
          if (vendors[v].prefix_mode == PrefixMode::expiration) {
            next_protect = length;
            if (!is_protect) next_normal = length;
          }
        }
        normal_floor = next_normal;
        protect_floor = next_protect;
      }
      double lowest = -1;
      int sum = 0, known = 0;
      for (const Plain& p : plain) {
        if (p.price >= 0) {
          const double each = static_cast<double>(p.price) / static_cast<double>(p.per_s);
          if (lowest < 0 || each < lowest) lowest = each;
        }
        if (p.percent >= 0) {
          sum += p.percent;
          ++known;
        }
      }
      const auto key = [&](const Plain& p, RoutePolicy policy) -> double {
        if (policy == RoutePolicy::none) return 0;
        if (policy == RoutePolicy::answer_ratio)
          return p.percent >= 0 ? -p.percent : known == 0 ? 0 : -((sum + known / 2) / known);
        if (p.price < 0) return 2e9;
        const double each = static_cast<double>(p.price) / static_cast<double>(p.per_s);
        return p.compares || each == lowest ? each : 1e9;
      };
      const auto ratio = [](const Plain& p) -> double {
        return p.limit < 0 ? 0 : p.limit == 0 ? 1e9 : static_cast<double>(p.calls) / p.limit;
      };
      std::sort(plain.begin(), plain.end(), [&](const Plain& a, const Plain& b) {
        if (a.is_protect != b.is_protect) return b.is_protect;
        for (const RoutePolicy policy : sort.before_prefix) {
          if (key(a, policy) != key(b, policy)) return key(a, policy) < key(b, policy);
        }
        if (a.prefix != b.prefix) return a.prefix > b.prefix;
        for (const RoutePolicy policy : sort.after_prefix) {
          if (key(a, policy) != key(b, policy)) return key(a, policy) < key(b, policy);
        }
        if (a.priority != b.priority) return a.priority < b.priority;
        for (const RoutePolicy policy : sort.after_priority) {
          if (key(a, policy) != key(b, policy)) return key(a, policy) < key(b, policy);
        }
        if (ratio(a) != ratio(b)) return ratio(a) < ratio(b);
        return a.name < b.name;
      });

      RouteQuery q = query("4470", &facts, sort);
      q.load = &loads;
      std::array<RouteCandidate, 10> out;
      const std::size_t room = 1 + random.below(out.size());
      const std::size_t found = table.lookup(q, std::span(out).first(room));
      REQUIRE(found == std::min(room, plain.size()));
      for (std::size_t c = 0; c < found; ++c) {
        if (out[c].gateway_name != plain[c].name) {
          FAIL("round " << round << " query " << i << " place " << c << ": "
                        << std::string(out[c].gateway_name) << " instead of " << plain[c].name);
        }
      }
    }
  }
  CHECK(queries == rounds * 500u);
}
