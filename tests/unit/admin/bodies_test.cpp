// JSON bodies of requests.
#include <doctest/doctest.h>

#include "admin/provision_bodies.hpp"
#include "admin/request_bodies.hpp"

using namespace tandem;
using namespace tandem::admin;

namespace {

const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');

void check_depth(bool is_read, const Complaint& complaint) {
  CHECK_FALSE(is_read);
  CHECK(complaint.status == 400);
  CHECK(complaint.code == "invalid_argument");
  CHECK(complaint.message.starts_with("text nests deeper than 64 levels at line 1, column "));
}

}  // namespace

TEST_CASE("Admin bodies: one that nests without end is refused before anybody walks through it") {
  Complaint complaint;
  std::optional<std::uint64_t> version;
  check_depth(read_rollback(R"({"version":)" + deep + "}", version, complaint), complaint);
  std::uint64_t number = 0;
  std::optional<std::int64_t> time_us;
  check_depth(
      read_schedule(R"({"version":1,"valid_from":)" + deep + "}", number, time_us, complaint),
      complaint);
  std::vector<ProvisionedObject> objects;
  check_depth(read_objects(R"([{"id":"x","memo":)" + deep + "}]", "accounts", objects, complaint),
              complaint);
  Booking payment;
  check_depth(read_payment(R"({"amount":)" + deep + "}", payment, complaint), complaint);
  ExplainRequest question;
  check_depth(read_explain(R"({"from":)" + deep + "}", question, complaint), complaint);
  CHECK(merged_json(R"({"id":"x"})", R"({"memo":)" + deep + "}") == R"({"id":"x"})");
}
