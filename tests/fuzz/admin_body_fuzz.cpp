// Bodies of admin requests from outside: no input may crash, and what is refused is refused with a
// message on one line and a JSON pointer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "admin/provision_bodies.hpp"
#include "admin/request_bodies.hpp"
#include "switch/provisioning.hpp"

namespace {

void check(const std::string& message, const std::string& pointer) {
  if (message.empty() || (!pointer.empty() && pointer.front() != '/')) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  admin::Complaint complaint;
  const auto refused = [&](bool is_read) {
    if (!is_read) check(complaint.message, complaint.pointer);
  };
  std::optional<std::uint64_t> version;
  refused(admin::read_rollback(body, version, complaint));
  std::uint64_t number = 0;
  std::optional<std::int64_t> time_us;
  refused(admin::read_schedule(body, number, time_us, complaint));
  Booking payment;
  refused(admin::read_payment(body, payment, complaint));
  ExplainRequest question;
  refused(admin::read_explain(body, question, complaint));

  ProvisionChange change;
  for (const char* list : {"rate_decks", "gateways"}) {
    std::vector<ProvisionedObject> objects;
    const bool is_read = admin::read_objects(body, list, objects, complaint);
    refused(is_read);
    if (is_read) change.puts = std::move(objects);
  }
  change.puts.push_back({"rate_decks", "x", std::string(body), std::nullopt});
  change.puts.push_back({"rate_decks", "x", "", std::string(body)});
  Provision update;
  std::vector<ObjectName> names;
  std::vector<ProvisionFault> faults;
  read_puts(change, {}, update, names, faults, [](std::uint64_t) {});
  for (const ProvisionFault& fault : faults)
    check(fault.message, fault.pointer);
  return 0;
}
