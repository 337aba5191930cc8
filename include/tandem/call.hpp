// What a host may see of one call and decide about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/export.h"
#include "tandem/media_relay.hpp"
#include "tandem/values.hpp"
#include "tandem/voice.hpp"

namespace tandem {

/// Where a live call stands.
enum class CallState : std::uint8_t { arriving, trying, progressing, ringing, answered, ending };
TANDEM_EXPORT const char* call_state_name(CallState state) noexcept;

/// A live call as others may see it: a copy, some milliseconds old.
struct CallView {
  std::uint64_t id = 0;  ///< Unique in this process; for disconnect().
  std::string call_id;
  std::string customer_gateway;  ///< "" when not known.
  std::string vendor_gateway;    ///< "" when none is tried yet.
  std::string caller, callee;
  CallState state = CallState::arriving;
  std::int64_t started_at_us = 0;
  std::int64_t answered_at_us = 0;  ///< 0: not answered.
  bool media_relayed = false;
  MediaSideStats media_caller, media_callee;
  MediaCodecs codecs{};   ///< So far.
  std::string recording;  ///< File of a recording that goes on (M-15); "": none.
};

/// Who is online now, or is not any more.
struct RegistrationChange {
  std::string phone;    ///< Its number; "" for a gateway.
  std::string state;    ///< "registered", "unregistered" or "expired".
  std::string address;  ///< Where it is called, or was.
  std::string product;  ///< User-Agent; "": none named.
  // Not of a registration of the switch itself:
  std::vector<std::string> dids{};  ///< Of a phone.
  SocketAddress source{};           ///< Where its REGISTER came from; port 0: not known.
  SocketAddress local{};            ///< Where it arrived; the same.
  /// Greater for the later change of one registrant; those of several workers may be told of out of
  /// order.
  std::uint64_t sequence = 0;
  [[nodiscard]] bool is_online() const noexcept { return state == "registered"; }
};

/// Something that happened. Events of one call come in their order.
struct Event {
  enum class Kind : std::uint8_t {
    call_started,
    call_ringing,
    call_answered,
    call_ended,
    alarm,
    reloaded,
    gateway,      ///< An address of a vendor stopped or began to answer (R-17), or a gateway
                  ///< registered or is not registered any more (P-05, R-25).
    phone,        ///< A phone registered, or is not registered any more (T-11).
    call_digit,   ///< A party of an answered call pressed a key, in RTP or by SIP INFO (M-09).
    trace,        ///< A call trace began or ended (O-12).
    call_service  ///< A call that the host serves, or an order of the host for it (T-17).
  };
  Kind kind = Kind::call_started;
  std::int64_t at_us = 0;
  CallView call;           ///< Of the call kinds.
  std::optional<Cdr> cdr;  ///< call_ended.
  std::string gateway;     ///< gateway: its id.
  std::string text;        ///< alarm: what is wrong; gateway: which address, and what it does;
                           ///< trace: its number, "began", "ended: WHY" or "removed".
  std::optional<RegistrationChange> registration;  ///< phone, and gateway when it is about that.
  char digit = '\0';                               ///< call_digit: 0..9, *, #, A..D; ! is a flash.
  MediaSide side = MediaSide::caller;              ///< call_digit: who pressed it.
  std::uint32_t duration_ms = 0;                   ///< call_digit: how long; 0: not known.
  std::optional<ServiceReport> service;            ///< call_service.
};
TANDEM_EXPORT const char* event_kind_name(Event::Kind kind) noexcept;
/// What a kind is about: "call", "gateway", "phone", "alarm", "switch" or "trace". Watchers that do
/// not know a kind go by it.
TANDEM_EXPORT const char* event_topic(Event::Kind kind) noexcept;

/// What a policy hook is asked: shall this call go on, and how? After admission and rewriting,
/// before routing.
struct PolicyQuestion {
  std::uint64_t token = 0;  ///< For Switch::answer().
  std::string call_id;
  std::string customer_gateway;
  /// Who pays as far as that is known here (B-04). The callee is looked for behind this and may be
  /// a phone that pays, and the answer may give a caller whom another account pays for.
  std::string account;
  std::string caller, callee;  ///< After the source's rewrite rules.
  std::string caller_in, callee_in;
  SocketAddress source;
};

/// What it may answer. The default lets the call go on unchanged.
struct PolicyAnswer {
  bool allow = true;
  int sip_status = 403;        ///< 400..699, when refused.
  std::string caller, callee;  ///< Not empty: replaces the number for routing and billing.
  std::vector<std::string> vendor_gateways;  ///< Not empty: try only these, in this order.
  /// The call goes to no vendor or phone: the host serves it (T-17).
  std::optional<ServeOrder> serve{};
};

TANDEM_EXPORT std::string to_json(const CallView& call);
TANDEM_EXPORT std::string to_json(const Event& event);

}  // namespace tandem
