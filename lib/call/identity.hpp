// Who a call says it is from and for, as a customer's settings read it, and what of its headers a
// vendor's settings show (P-08..P-14).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/leg.hpp"
#include "tandem/sip_options.hpp"

namespace tandem::call {

/// User part of the field that a customer's calls have their caller or callee in; "" when the call
/// has no such field. Views end with the call that is delivered.
std::string_view read_caller(const InboundCall& call, CallerField field);
std::string_view read_callee(const InboundCall& call, CalleeField field);

/// Whether somebody sent the call on and says so in a Diversion (RFC 5806), whoever it was.
bool is_diverted(const InboundCall& call) noexcept;

/// Headers that settings of their own decide about, not `pass_headers`.
bool has_setting(std::string_view name) noexcept;

/// Headers that vendors' settings pass on, of any vendor. Nothing else of a call is kept for them.
struct IdentityNeeds {
  bool asserted = false, preferred = false, privacy = false, forward = false;

  void add(const SipOptions& vendor) noexcept;
};

/// Headers of an arriving call that some vendor may be shown: kept until the call is answered.
class KeptHeaders {
 public:
  /// How many hops the call was diverted over before, as far as its headers are believed.
  static std::size_t diversions(const InboundCall& call, const SipOptions& customer);

  /// Those of a vendor's response that may be shown.
  static HeaderCopies copy_passed(const HeaderPass& pass, const std::vector<PassedHeader>& headers);

  void keep(const InboundCall& call, const SipOptions& customer, const IdentityNeeds& needs);
  [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }
  /// Value of the caller's Privacy header; "": it wants none, or is not believed.
  [[nodiscard]] std::string_view privacy() const noexcept;
  /// All of them, for a further call that this one is sent on by.
  [[nodiscard]] HeaderCopies copies() const;
  void append(const SipOptions& vendor, std::vector<PassedHeader>& out) const;
  void clear() noexcept { std::vector<Line>().swap(lines_); }

 private:
  friend bool has_setting(std::string_view name) noexcept;
  /// All but `extra` have settings of their own.
  enum class Kind : std::uint8_t { extra, asserted, preferred, privacy, forward, other };
  struct Line {
    Kind kind;
    std::string name, value;
  };
  static Kind kind_of(std::string_view name) noexcept;

  std::vector<Line> lines_;
};

/// Shows `number` as who sent the call on: in the first Diversion, and History-Info is left out,
/// which would tell who it was. What cannot be shown so is not shown. `text` holds what `headers`
/// refers to.
void replace_forwarder(std::string_view number, std::vector<PassedHeader>& headers,
                       std::string& text);

/// What a header template may hold (P-14).
struct TemplateValues {
  std::string_view caller, callee, call_id, account;
};

/// Sets what a vendor, or a phone of ours, is shown of caller and headers. `texts` holds what `out`
/// refers to.
void present_call(const SipOptions& vendor, bool is_phone, const KeptHeaders& kept,
                  const TemplateValues& values, OutboundCall& out, std::vector<std::string>& texts);

}  // namespace tandem::call
