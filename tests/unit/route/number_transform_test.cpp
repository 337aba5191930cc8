// The number transform table (N-05) and area codes for mobiles (N-04).
#include <doctest/doctest.h>

#include "tandem/number_transform.hpp"

using namespace tandem;

TEST_CASE(
    "Number transforms: a customer's caller and a vendor's callee are paired exactly (N-05)") {
  const auto table = NumberTransforms::build({
      {"", "8675512345678", "1001", "5678"},
      {"", "8675512340000", "", "4000"},
      {"", "8675512349999", "1002", ""},
  });
  REQUIRE(table.ok());
  CHECK(table->from_customer("1001") == "8675512345678");
  CHECK(table->from_customer("1002") == "8675512349999");
  CHECK(table->from_customer("10011") == "10011");
  CHECK(table->from_customer("100") == "100");
  CHECK(table->from_customer("") == "");
  CHECK(table->to_vendor("8675512345678") == "5678");
  CHECK(table->to_vendor("8675512340000") == "4000");
  CHECK(table->to_vendor("8675512349999") == "8675512349999");
  CHECK(table->to_vendor("86755123456789") == "86755123456789");
  CHECK(NumberTransforms().from_customer("1001") == "1001");
  CHECK(NumberTransforms().empty());
}

TEST_CASE("Number transforms: what would be ambiguous or is no number is refused (N-05)") {
  const auto refused = [](std::vector<NumberTransform> entries) {
    auto made = NumberTransforms::build(entries);
    REQUIRE_FALSE(made.ok());
    return made.error().message;
  };
  CHECK(refused({{"", "1", "2", ""}, {"", "1", "3", ""}}) == "number \"1\" was transformed before");
  CHECK(refused({{"", "1", "2", ""}, {"", "3", "2", ""}}) ==
        "caller \"2\" stood for another number before");
  CHECK(refused({{"", "1", "", ""}}) == "transform of \"1\" changed nothing");
  CHECK(refused({{"", "", "2", ""}}).starts_with("number \"\" was not"));
  CHECK(refused({{"", "1", "a b", ""}}).starts_with("caller \"a b\" was not"));
  CHECK(refused({{"", "1", "", "x-y"}}).starts_with("callee \"x-y\" was not"));
}

TEST_CASE("Mobile areas: the longest prefix gives the code, for chosen areas only (N-04)") {
  const auto table = MobileAreas::build({
      {"", "1390000", "010", "Beijing"},
      {"", "1390001", "021", "Shanghai"},
      {"", "13900001", "0755", "Shenzhen"},
  });
  REQUIRE(table.ok());
  const auto chosen = table->choose({"Shanghai", "Beijing"});
  REQUIRE(chosen.ok());
  CHECK(table->area_code("13900005555", *chosen) == "010");
  CHECK(table->area_code("13900015555", *chosen) == "021");
  CHECK(table->area_code("13900001555", *chosen) == "");  // at home in Shenzhen
  CHECK(table->area_code("13800005555", *chosen) == "");
  CHECK(table->area_code("139000", *chosen) == "");
  CHECK(table->area_code("13900005555", *table->choose({})) == "");
  CHECK(table->choose({"Lhasa"}).error().message == "no mobile prefix had its home in \"Lhasa\"");
  CHECK(MobileAreas().choose({"Lhasa"}).error().code == ErrorCode::not_found);
  CHECK(MobileAreas().area_code("1390000", {}) == "");
}

TEST_CASE("Mobile areas: a bad row is named (N-04)") {
  const auto refused = [](std::vector<MobileArea> entries) {
    auto made = MobileAreas::build(entries);
    REQUIRE_FALSE(made.ok());
    return made.error().message;
  };
  CHECK(refused({{"", "", "010", "A"}}).starts_with("mobile prefix \"\" was not"));
  CHECK(refused({{"", "139", "", "A"}}).starts_with("area code \"\" was not"));
  CHECK(refused({{"", "139", "010", ""}}) == "area of mobile prefix \"139\" had no name");
  CHECK(refused({{"", "139", "010", "A"}, {"", "139", "011", "B"}}) ==
        "prefix \"139\" was added before");
}
