// How deep JSON from outside may nest.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "base/json_depth.hpp"
#include "switch/config_check.hpp"
#include "switch/config_reader_json.hpp"
#include "tandem/provision.hpp"

using namespace tandem;
using config::Json;

namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

/// How deep the library itself goes in `text` before it ends or errs.
std::size_t depth_in_library(const std::string& text, bool with_comments, bool& is_json) {
  std::size_t deepest = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json&) {
    const auto open = static_cast<std::size_t>(depth);
    if (event == Json::parse_event_t::array_start || event == Json::parse_event_t::object_start)
      deepest = std::max(deepest, open + 1);
    return true;
  };
  is_json = !Json::parse(text, watch, false, with_comments).is_discarded();
  return deepest;
}

}  // namespace

TEST_CASE("JSON: sixty-four levels are read, one more is refused with its place") {
  CHECK(config::parse_json(nested(json_depth_max)).ok());
  const auto refused = config::parse_json("{\"a\":1,\n\"b\": " + nested(json_depth_max) + "}");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::invalid_argument);
  CHECK(refused.error().message == "text nests deeper than 64 levels at line 2, column 69");
  CHECK(config::parse_json(nested(500'000)).error().message.ends_with("line 1, column 65"));
  CHECK(config::parse_json("\"" + std::string(100, '[') + "\"").ok());
  CHECK(config::parse_json("[").error().message.starts_with("text is no JSON: "));
  CHECK(config::json_or_null(nested(100)).is_null());
}

TEST_CASE("JSON: the brackets that are counted are those that the library sees") {
  std::mt19937 random(1);
  const std::string_view alphabet("[[[{]}\"\\/*\n\0 ,:1a", 18);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(62, '[');
    for (auto left = random() % 14; left != 0; --left)
      text += alphabet[random() % alphabet.size()];
    if (random() % 2 != 0) text += std::string(62, ']');
    for (const bool with_comments : {false, true}) {
      bool is_json = false;
      const std::size_t depth = depth_in_library(text, with_comments, is_json);
      CAPTURE(text);
      if (depth > json_depth_max) REQUIRE(too_deep_at(text).has_value());
      if (is_json) REQUIRE(too_deep_at(text).has_value() == (depth > json_depth_max));
    }
  }
}

TEST_CASE("JSON: a deep configuration, cell or stored object is an error and not the end") {
  const std::string deep = nested(500'000);
  const auto reading = read_config_alone(R"({"sip": {"listen": )" + deep + "}}");
  REQUIRE(reading.errors.size() == 1);
  CHECK(reading.errors[0].message.find("line 1, column 82") != std::string::npos);
  const auto gateways = objects_from_csv(
      "vendor_gateways", "id,addresses,prefixes\nv,127.0.0.1," + nested(2'000) + "\n", nullptr);
  REQUIRE_FALSE(gateways.ok());
  CHECK(gateways.error().message.find("deeper than 64") != std::string::npos);
  CHECK_FALSE(objects_to_csv("accounts", {{"accounts", "x", deep, std::nullopt}}).empty());
}
