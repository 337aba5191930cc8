// Any bytes as a SIP message: what the extensions read of it is bounded, and can be written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "call/identity.hpp"
#include "sip/contact.hpp"
#include "sip/overload.hpp"
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

/// What a Via asks of our load is answered in it, and read there by the same rules.
void tell_load(const sip::Message& message) {
  for (std::size_t i = 0; i < message.via_count; ++i) {
    const auto told = sip::overload_feedback(message.vias[i]);
    require(!told || (told->loss_percent <= 100 && told->validity_us >= 0));
  }
  if (!message.is_request || message.via_count == 0 ||
      !sip::takes_overload_feedback(message.vias[0]))
    return;
  const std::string load = sip::overload_parameters(35, 1'700'000'000'000'000);
  static char buffer[131'072];
  sip::MessageWriter writer(buffer, sizeof buffer);
  sip::ResponseHead head;
  head.status = 503;
  head.to_tag = "t";
  head.source = SocketAddress::parse("192.0.2.1:5060").value();
  head.overload = load;
  sip::write_response_head(writer, message, head);
  writer.finish();
  static sip::Message written;
  if (!writer.ok() ||
      sip::scan(writer.view(), sip::Framing::datagram, written).kind != sip::Fault::Kind::none)
    return;
  const auto read = sip::overload_feedback(written.vias[0]);
  require(read && read->loss_percent == 35);
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
  tell_load(message);
  if (message.is_request) identify(message);
  return 0;
}
