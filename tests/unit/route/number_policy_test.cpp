#include "tandem/number_policy.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "tandem/clock.hpp"

using namespace tandem;

namespace {
NumberPolicy policy_of(const NumberPolicyConfig& config) {
  auto policy = NumberPolicy::build(config);
  REQUIRE(policy.ok());
  return *policy;
}
}  // namespace

TEST_CASE("NumberPolicy: N-06 an empty policy accepts everything, an absent caller too") {
  const NumberPolicy policy = policy_of({});
  CHECK(policy.accepts_everything());
  CHECK(policy.judge("", "") == NumberVerdict::accepted);
  CHECK(policy.judge("anything", "at all") == NumberVerdict::accepted);
}

TEST_CASE("NumberPolicy: N-06 only listed lengths pass") {
  NumberPolicyConfig config;
  config.caller_lengths = {0, 11};
  config.callee_lengths = {32, 5};
  const NumberPolicy policy = policy_of(config);
  CHECK(policy.judge("", "12345") == NumberVerdict::accepted);
  CHECK(policy.judge("12345678901", std::string(32, '1')) == NumberVerdict::accepted);
  CHECK(policy.judge("1234567890", "12345") == NumberVerdict::caller_length);
  CHECK(policy.judge("", "1234") == NumberVerdict::callee_length);
  CHECK(policy.judge("", std::string(37, '1')) == NumberVerdict::callee_length);
  CHECK(policy.judge(std::string(64, '1'), "12345") == NumberVerdict::caller_length);
}

TEST_CASE("NumberPolicy: N-06 deny outranks allow, on each side by itself") {
  NumberPolicyConfig config;
  config.allow_caller_prefixes = {"11", "12"};
  config.deny_caller_prefixes = {"119"};
  config.allow_callee_prefixes = {"a", "44"};
  config.deny_callee_prefixes = {"4470"};
  const NumberPolicy policy = policy_of(config);
  CHECK(policy.judge("1101", "4420") == NumberVerdict::accepted);
  CHECK(policy.judge("12", "a") == NumberVerdict::accepted);
  CHECK(policy.judge("1", "44") == NumberVerdict::caller_not_allowed);
  CHECK(policy.judge("", "44") == NumberVerdict::caller_not_allowed);
  CHECK(policy.judge("1190", "44") == NumberVerdict::caller_denied);
  CHECK(policy.judge("11", "A") == NumberVerdict::callee_not_allowed);
  CHECK(policy.judge("11", "44701") == NumberVerdict::callee_denied);
}

TEST_CASE("NumberPolicy: a length or prefix out of range is refused with its value") {
  NumberPolicyConfig config;
  config.callee_lengths = {33};
  CHECK(NumberPolicy::build(config).error().message == "callee length 33 was not between 0 and 32");
  config.callee_lengths = {-1};
  CHECK_FALSE(NumberPolicy::build(config).ok());
  config = {};
  config.deny_caller_prefixes = {"4 4"};
  CHECK(NumberPolicy::build(config).error().message.find("\"4 4\"") != std::string::npos);
}

TEST_CASE("NumberPolicy: number groups allow and deny exact numbers, deny first (N-06)") {
  const NumberSet staff = NumberSet::build({"1001", "1002", "1001"}).value();
  const NumberSet barred = NumberSet::build({"1002"}).value();
  CHECK(staff.size() == 2);
  CHECK_FALSE(NumberSet().contains("1001"));
  NumberPolicyConfig config;
  config.allow_callers = {NumberSet::build({"9"}).value(), staff};
  config.deny_callers = {barred};
  config.deny_callees = {staff};
  const NumberPolicy policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("1001", "44") == NumberVerdict::accepted);
  CHECK(policy.judge("9", "44") == NumberVerdict::accepted);
  CHECK(policy.judge("10011", "44") == NumberVerdict::caller_not_allowed);
  CHECK(policy.judge("1002", "44") == NumberVerdict::caller_denied);
  CHECK(policy.judge("1001", "1002") == NumberVerdict::callee_denied);
  config = {};
  config.allow_callees = {staff};
  CHECK(NumberPolicy::build(config)->judge("", "1001") == NumberVerdict::accepted);
  CHECK(NumberPolicy::build(config)->judge("", "1003") == NumberVerdict::callee_not_allowed);
  CHECK_FALSE(NumberSet::build({"1 0"}).ok());
}

TEST_CASE("NumberPolicy: pairs and cities look at both numbers (N-06)") {
  NumberPolicyConfig config;
  config.deny_pairs = {NumberPair::parse("025:010").value(), NumberPair::parse("021:023").value()};
  NumberPolicy policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("0251", "0101") == NumberVerdict::pair_denied);
  CHECK(policy.judge("0211", "0231") == NumberVerdict::pair_denied);
  CHECK(policy.judge("0251", "0231") == NumberVerdict::accepted);
  CHECK(policy.judge("0101", "0251") == NumberVerdict::accepted);
  config = {};
  config.allow_pairs = {NumberPair::parse("025:").value()};
  policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("0251", "1") == NumberVerdict::accepted);
  CHECK(policy.judge("0101", "1") == NumberVerdict::pair_not_allowed);
  config = {};
  config.deny_same_city = {"010", "025"};
  policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("0101", "0102") == NumberVerdict::city_denied);
  CHECK(policy.judge("0101", "0251") == NumberVerdict::accepted);
  CHECK(policy.judge("0211", "0212") == NumberVerdict::accepted);
  config = {};
  config.allow_same_city = {"010"};
  policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("0101", "0102") == NumberVerdict::accepted);
  CHECK(policy.judge("0211", "0212") == NumberVerdict::city_not_allowed);
  CHECK(NumberPair::parse("025").error().message ==
        "pair \"025\" had no \":\" between its prefixes");
  CHECK_FALSE(NumberPair::parse("0-25:1").ok());
  config.deny_same_city = {""};
  CHECK_FALSE(NumberPolicy::build(config).ok());
}

TEST_CASE("NumberPolicy: N-06 kinds and home areas are those of the longest prefix of the plan") {
  NumberPolicyConfig config;
  config.plan = NumberingPlan::build({{"", "0", NumberKind::city, "", 9, 12},
                                      {"", "010", NumberKind::city, "Beijing", 11, 11},
                                      {"", "1", NumberKind::other, "", 3, 6},
                                      {"", "139", NumberKind::mobile, "Beijing", 11, 11},
                                      {"", "1391", NumberKind::mobile, "Xian", 11, 11},
                                      {"", "137", NumberKind::mobile, "", 11, 11}})
                    .value();
  config.caller_kinds = {NumberKind::city, NumberKind::other};
  NumberPolicy policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("01012345678", "") == NumberVerdict::accepted);
  CHECK(policy.judge("010123456789", "") == NumberVerdict::caller_kind);  // too long, as 010 says
  CHECK(policy.judge("021123456789", "") == NumberVerdict::accepted);
  CHECK(policy.judge("11000", "") == NumberVerdict::accepted);
  CHECK(policy.judge("4420", "") == NumberVerdict::accepted);  // unknown is other
  CHECK(policy.judge("", "") == NumberVerdict::accepted);
  CHECK(policy.judge("13912345678", "") == NumberVerdict::caller_kind);
  config.caller_kinds = {};
  config.callee_kinds = {NumberKind::mobile};
  policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("1", "13912345678") == NumberVerdict::accepted);
  CHECK(policy.judge("1", "1391234567") == NumberVerdict::callee_kind);
  CHECK(policy.judge("1", "01012345678") == NumberVerdict::callee_kind);
  config.callee_kinds = {};
  config.allow_mobile_areas = {"Beijing", "Xian"};
  config.deny_mobile_areas = {"Xian"};
  policy = NumberPolicy::build(config).value();
  CHECK(policy.judge("1", "13922345678") == NumberVerdict::accepted);
  CHECK(policy.judge("1", "13912345678") == NumberVerdict::mobile_area_denied);
  CHECK(policy.judge("1", "13712345678") == NumberVerdict::mobile_area_not_allowed);
  CHECK(policy.judge("1", "01012345678") == NumberVerdict::accepted);
  CHECK_FALSE(policy.accepts_everything());
}

TEST_CASE("NumberingPlan: what is wrong is named") {
  const auto refused = [](NumberingPlanEntry entry) {
    return NumberingPlan::build({entry}).error().message;
  };
  CHECK(refused({"", "", NumberKind::city, "", 1, 32}).find("prefix \"\"") == 0);
  CHECK(refused({"", "01", NumberKind::city, "", 0, 3}).find("lengths 0..3 of prefix \"01\"") == 0);
  CHECK(refused({"", "01", NumberKind::city, "", 4, 3}).find("lengths 4..3") == 0);
  CHECK(refused({"", "01", NumberKind::city, "", 4, 33}).find("lengths 4..33") == 0);
  const NumberingPlanEntry one{"", "01", NumberKind::city, "", 1, 32};
  CHECK(NumberingPlan::build({one, one}).error().code == ErrorCode::already_exists);
  NumberPolicyConfig config;
  config.callee_kinds = {NumberKind::city};
  CHECK(NumberPolicy::build(config).error().message ==
        "kinds of numbers were named, and there was no numbering plan");
  config = {};
  config.deny_mobile_areas = {"Lhasa"};
  CHECK(NumberPolicy::build(config).error().code == ErrorCode::not_found);
  for (const NumberKind kind : {NumberKind::other, NumberKind::city, NumberKind::mobile})
    CHECK(number_kind_from_name(number_kind_name(kind)) == kind);
  CHECK_FALSE(number_kind_from_name("town"));
}

TEST_CASE("PrefixSet: N-06 answers as trying every prefix does") {
  SeededRandom random(3);
  const auto text = [&](std::size_t length) {
    std::string s;
    for (std::size_t i = 0; i < length; ++i)
      s += "01Aa#"[random.below(5)];
    return s;
  };
  int found = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> prefixes;
    for (std::uint64_t i = random.below(8); i > 0; --i)
      prefixes.push_back(text(1 + random.below(4)));
    if (random.below(40) == 0) prefixes.emplace_back();
    auto set = PrefixSet::build(prefixes);
    REQUIRE(set.ok());
    REQUIRE(set->empty() == prefixes.empty());
    for (int i = 0; i < 100; ++i) {
      const std::string number = text(random.below(7));
      const bool expected = std::any_of(prefixes.begin(), prefixes.end(),
                                        [&](const auto& p) { return number.starts_with(p); });
      REQUIRE(set->has_prefix_of(number) == expected);
      found += expected;
    }
  }
  CHECK(found > 1000);
}
