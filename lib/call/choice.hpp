// Choosing a vendor: what is true of each now, what keeps a candidate from being tried, and what a
// try takes (A-02 stages 15 and 16).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "call/stages.hpp"
#include "tandem/route_table.hpp"

namespace tandem::call {

/// What a call's lookup is told of vendors: hours, restrictions, prices and answer ratios.
/// Threading: one thread at a time. Borrows from the context.
class VendorConditions final : public RouteConditions {
 public:
  /// `has_servers_before`: redirect servers were asked before, and are no vendors among these.
  explicit VendorConditions(const CallContext& context, bool has_servers_before = false) noexcept;
  void judge(std::uint32_t gateway, const RouteQuery& query,
             VendorStanding& standing) const noexcept override;
  /// Whether the call's lookup has to be told anything; if not, the table alone decides.
  [[nodiscard]] bool are_needed() const noexcept;

 private:
  const CallContext& context_;
  const Customer& customer_;
  const bool has_servers_before_;
  const bool uses_prices_, uses_quality_, uses_talk_time_;
};

/// The question of a call whose customer is known. Borrows from the context and from `conditions`.
RouteQuery route_query(const CallContext& context, const VendorConditions& conditions) noexcept;

/// How one candidate would be tried.
struct CandidatePlan {
  std::uint32_t vendor = 0;  ///< Index in Tables::vendors.
  RouteCandidate route;
  Number caller_out, callee_out;
  Number vendor_callee;            ///< What the vendor's side is rated by (B-14, B-16).
  std::optional<Reason> excluded;  ///< Set: passed over.
  std::string_view rule;           ///< Which setting of the vendor or customer excludes it; or "".
  const Rate* vendor_rate = nullptr;
  route::AddressHealth* address = nullptr;  ///< To be called; lives as long as the tables.
  /// Where `address` is from, when the vendor has names; lives as long as the call's names.
  const route::Place* place = nullptr;
  std::size_t place_index = 0;              ///< Of `place` among the vendor's.
  std::unique_ptr<phone::Contact> contact;  ///< To be called instead: where it registered.
  std::int32_t line_limit = -1;             ///< Of this moment.

  /// Of a candidate that is not excluded.
  [[nodiscard]] const SocketAddress& destination() const noexcept {
    return contact != nullptr ? contact->destination : address->address();
  }
};

/// Whether a candidate can be tried and with which numbers: stage 16 without taking anything.
/// `now_us`: monotonic.
CandidatePlan plan_candidate(const CallContext& context, const RouteCandidate& candidate,
                             std::int64_t now_us);

/// What makes the numbers that a vendor gets: its rules, or those of the hours, that match, and the
/// entry of the transform table. For explain.
std::vector<std::string> matching_vendor_rules(const CallContext& context, std::uint32_t vendor);

/// Which entry of a vendor's lists, or of those of the hours, refuses the call's numbers; "": none
/// that has one.
std::string refusing_list_entry(const CallContext& context, std::uint32_t vendor);

/// What a try on one vendor holds: given back when it is destroyed or moved to.
struct VendorLease {
  route::LineLease line;           ///< Of the gateway and its groups.
  route::LineLease caller_number;  ///< Of its pool.
};

/// Takes the vendor's line, caller number and call token, and completes `plan`. On failure nothing
/// is held and `plan` says why it is excluded. A rehearsal looks and takes nothing.
bool take_vendor(const CallContext& context, CandidatePlan& plan, VendorLease& lease,
                 std::int64_t now_us);

}  // namespace tandem::call
