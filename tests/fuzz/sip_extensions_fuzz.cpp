// Any bytes as a SIP message: what the extensions read of it is bounded, and can be written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "call/identity.hpp"
#include "sip/contact.hpp"
#include "sip/provisional.hpp"
#include "sip/session_timer.hpp"
#include "sip/writer.hpp"

namespace {

using namespace tandem;

void require(bool holds) {
  if (!holds) std::abort();
}

void follow(const sip::Message& response) {
  const auto targets = sip::redirect_targets(response);
  require(targets.size() <= sip::redirect_targets_max);
  std::int32_t q_before = 1000;
  for (const RedirectTarget& target : targets) {
    require(target.q_thousandths >= 0 && target.q_thousandths <= q_before);
    q_before = target.q_thousandths;
    char buffer[8192];
    sip::MessageWriter writer(buffer, sizeof buffer);
    writer.request_line("INVITE", target.uri);
    writer.finish();
    require(writer.ok());
  }
}

void acknowledge(const sip::Message& message) {
  const sip::ReliableOffer offer = sip::read_reliable_offer(message);
  require(!offer.is_required || offer.is_supported);
  (void)sip::read_rseq(message);
  for (std::size_t i = 0; i < message.header_count; ++i) {
    sip::Rack rack;
    if (sip::parse_rack(message.headers[i].value, rack)) require(!rack.method.empty());
  }
}

void watch(const sip::Message& message) {
  const sip::TimerOffer offer = sip::read_timer_offer(message);
  SessionWatch rules;
  rules.mode = ExtensionUse::allow;
  if (!sip::is_too_short(offer)) {
    const sip::TimerAgreement agreed = sip::agree_as_server(rules, offer);
    require(agreed.interval_s >= sip::session_interval_min_s);
    require(sip::refresh_after_us(rules, agreed) > 0 && sip::give_up_after_us(rules, agreed) > 0);
  }
  const sip::TimerAgreement agreed = sip::agree_as_client(600, offer);
  require(agreed.interval_s == 0 || agreed.interval_s >= sip::session_interval_min_s);
}

void identify(const sip::Message& message) {
  InboundCall call;
  for (std::size_t i = 0; i < message.header_count; ++i)
    call.headers.push_back({message.headers[i].name, message.headers[i].value});
  SipOptions options;
  options.recognize_forward = true;
  options.pass_headers.all = true;
  options.privacy = PrivacyMode::pass;
  for (const CallerField field : {CallerField::from, CallerField::rpid, CallerField::display,
                                  CallerField::pai, CallerField::ppi})
    (void)call::read_caller(call, field);
  for (const CalleeField field :
       {CalleeField::request_uri, CalleeField::to, CalleeField::diversion})
    (void)call::read_callee(call, field);
  (void)call::KeptHeaders::diversions(call, options);
  call::IdentityNeeds needs;
  needs.asserted = needs.preferred = needs.privacy = needs.forward = true;
  call::KeptHeaders kept;
  kept.keep(call, options, needs);
  std::vector<PassedHeader> shown;
  kept.append(options, shown);
  std::string text;
  call::replace_forwarder("442079460000", shown, text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static sip::Message message;
  if (sip::scan(bytes, sip::Framing::datagram, message).kind != sip::Fault::Kind::none) return 0;
  if (!message.is_request) follow(message);
  acknowledge(message);
  watch(message);
  if (message.is_request) identify(message);
  return 0;
}
