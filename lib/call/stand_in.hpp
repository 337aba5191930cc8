// Who takes the place that another party has in a call (RFC 3891, T-10).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/leg.hpp"
#include "call/tables.hpp"

namespace tandem::call {

/// Whose place is asked for.
struct StandInOrder {
  std::uint64_t ringing = 0;  ///< Id of a call that rings (T-10); 0: a dialog is named.
  std::string call_id, own_tag, peer_tag;  ///< Of the dialog.
  bool is_early_only = false;              ///< Not when it is answered.

  [[nodiscard]] DialogName dialog() const noexcept { return {call_id, own_tag, peer_tag}; }
};

/// Who asks for it, or has it.
struct StandIn {
  std::shared_ptr<const Tables> tables;
  std::uint32_t customer = 0;  ///< Index in their customers.
  std::string number;          ///< It calls with.
  std::string offer;           ///< Its description; "" once it is in place.
  std::unique_ptr<Leg> leg;    ///< Null once it is in place.
  std::string call_id;         ///< Of the call that it stands in ...
  std::string product;         ///< ... and of who made that.
  bool hides_keys = false;     ///< Its signalling is encrypted (RFC 4568 section 8).

  [[nodiscard]] const Customer& entry() const noexcept { return tables->customers[customer]; }
  [[nodiscard]] const std::string& id() const noexcept { return entry().config.id; }
  /// The phone that it is; null: it is a gateway.
  [[nodiscard]] const Phone* phone() const noexcept {
    return customer < tables->sources.size() ? nullptr
                                             : &tables->phones[customer - tables->sources.size()];
  }
};

}  // namespace tandem::call
