// INVITE with Replaces: somebody takes a party's place in a call (RFC 3891).
#include <string>

#include "flow/office.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// A customer's call to phone 1001.
struct Talk : PhoneOffice {
  std::shared_ptr<EndpointCall> caller, desk;

  explicit Talk(SwitchConfig settings = phones_config(), const WorldOptions& options = {})
      : PhoneOffice(std::move(settings), options) {
    AnswerPlan near;
    near.send_rtp = true;
    near.rtp_pattern = 0x11;
    phone(1001).set_plan(near);
    DialPlan plan;
    plan.send_rtp = true;
    plan.rtp_pattern = 0x33;
    caller = dial(plan, "1001");
    answered(caller);
    run_s(10);
    desk = phone(1001).last_call();
    REQUIRE(desk != nullptr);
  }
  /// The call goes on as if nothing had been asked for.
  void check_as_before() {
    CHECK_FALSE(caller->is_over());
    CHECK_FALSE(desk->is_over());
    run_s(1);
    CHECK(caller->received_pattern() == 0x11);
    CHECK(desk->received_pattern() == 0x33);
  }
};

DialPlan talking(std::uint8_t pattern = 0x22) {
  DialPlan plan;
  plan.send_rtp = true;
  plan.rtp_pattern = pattern;
  return plan;
}

std::string failure_of(const EndpointCall& call) {
  for (const std::string& event : call.events()) {
    if (event.starts_with("failure")) return event;
  }
  return {};
}

}  // namespace

TEST_CASE("Replaces: a phone takes over the call of another one, on any worker (RFC 3891)") {
  for (const int workers : {1, 4}) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      CAPTURE(workers);
      CAPTURE(seed);
      WorldOptions options;
      options.seed = seed;
      Talk office(phones_config(workers), options);
      const auto taker = office.take(1002, office.desk->replaces(), talking());
      office.answered(taker);
      office.run_s(2);
      CHECK(office.desk->count("release") == 1);
      CHECK(office.desk->is_over());
      CHECK(office.caller->count("reinvite") == 1);
      CHECK(office.caller->received_pattern() == 0x22);
      CHECK(taker->received_pattern() == 0x33);
      CHECK(office.tandem->calls().size() == 1);
      // Changes of the session go all the way, both ways.
      taker->hold();
      office.run_s(1);
      CHECK(taker->count("reoffer 200") == 1);
      CHECK(office.caller->remote_sdp().find("a=sendonly") != std::string::npos);
      taker->resume();
      office.run_s(1);
      office.caller->reinvite_without_offer();
      office.run_s(1);
      CHECK(office.caller->count("reoffer 200") == 1);
      office.run_s(10);
      if (seed == 1) {
        taker->hang_up();
      } else {
        office.caller->hang_up();
      }
      const Cdr& cdr = office.only_cdr();
      CHECK(taker->is_over());
      CHECK(office.caller->is_over());
      CHECK(cdr.customer_gateway == "cust");
      CHECK(cdr.vendor_gateway == "phone:1001");
      CHECK(cdr.talk_time_ms / 1000 >= 25);
      CHECK(cdr.end_reason == Reason::NormalCallClearing);
      CHECK(cdr.release_side == (seed == 1 ? ReleaseSide::callee : ReleaseSide::caller));
      office.check_money();
    }
  }
}

TEST_CASE("Replaces: whoever made the call goes on paying for it (RFC 3891, B-04)") {
  PhoneOffice office;
  const auto first = office.dial_from(1001, "442079460000");
  office.answered(first);
  office.run_s(5);
  const std::string id = first->call_id();
  EndpointConfig other;
  other.address = "10.0.3.9:5060";
  other.peer = switch_address;
  other.product = "another";
  DialPlan plan;
  plan.username = "1002";
  plan.password = "secret";
  plan.replaces = first->replaces();
  const auto taker = (*office.world.add_endpoint(other))->dial("1001", "1002", plan);
  office.answered(taker);
  office.run_s(5);
  CHECK(first->is_over());
  const auto far = office.b->last_call();
  CHECK(far->count("reinvite") == 1);
  CHECK_FALSE(far->is_over());
  far->hang_up();
  const Cdr& cdr = office.only_cdr();
  CHECK(taker->is_over());
  CHECK(cdr.call_id == id);
  CHECK(cdr.caller_product == "endpoint");
  CHECK(cdr.customer_gateway == "phone:1001");
  CHECK(cdr.customer.account == "desk");
  CHECK(cdr.talk_time_ms / 1000 >= 10);
  CHECK_FALSE(cdr.customer.charge.is_zero());
  office.check_money();
}

TEST_CASE("Replaces: what it may not, or cannot, replace stays as it is (RFC 3891 section 3)") {
  SwitchConfig config = phones_config();
  int by = 1002;
  std::string suffix, expected;
  bool is_there = true;
  SUBCASE("a dialog that there is not") {
    is_there = false;
    expected = "failure 481";
  }
  SUBCASE("one that is answered, early-only") {
    suffix = ";early-only";
    expected = "failure 486";
  }
  SUBCASE("a phone of another account and no group") {
    by = 1005;
    expected = "failure 403";
  }
  SUBCASE("a phone that may replace its own only") {
    config.provision.phones[1].replaces = ReplacesMode::own;
    expected = "failure 403";
  }
  SUBCASE("no dialog at all") {
    is_there = false;
    suffix = ";to-tag";
    expected = "failure 400";
  }
  Talk office(config);
  const std::string place = is_there         ? office.desk->replaces() + suffix
                            : suffix.empty() ? "nobody@10.0.3.1;to-tag=1;from-tag=2"
                                             : "nobody" + suffix;
  const auto taker = office.take(by, place);
  office.run_s(2);
  CHECK(failure_of(*taker) == expected);
  office.check_as_before();
  CHECK(office.caller->count("reinvite") == 0);
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == 1);
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Replaces: phones of one pickup group replace each other whoever pays (RFC 3891)") {
  Talk office;
  const auto taker = office.take(1004, office.desk->replaces());
  office.answered(taker);
  office.run_s(1);
  CHECK(office.desk->is_over());
  taker->hang_up();
  CHECK(office.only_cdr().customer_gateway == "cust");
  office.check_money();
}

TEST_CASE("Replaces: a gateway may as its setting says, and is a caller like others without") {
  SwitchConfig config = phones_config();
  auto& settings = config.provision.customer_gateways[0].sip;
  DialPlan plan;
  SUBCASE("any") { settings.replaces = ReplacesMode::any; }
  SUBCASE("off") {}
  SUBCASE("off, and it insists") { plan.requires_replaces = true; }
  SUBCASE("off, and it names no dialog") { plan.replaces = "nobody"; }
  PhoneOffice office(config);
  const auto first = office.dial_from(1001, "442079460000");
  office.answered(first);
  office.run_s(2);
  const bool is_taken = settings.replaces == ReplacesMode::any;
  const bool is_refused = plan.requires_replaces;
  if (plan.replaces.empty()) plan.replaces = first->replaces();
  const auto taker = office.dial(plan, "1002");
  office.run_s(2);
  CHECK(first->is_over() == is_taken);
  CHECK(taker->was_answered() == !is_refused);
  if (is_refused) CHECK(failure_of(*taker) == "failure 420");
  office.b->last_call()->hang_up();
  taker->hang_up();
  first->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == (is_taken || is_refused ? 1 : 2));
  office.check_money();
}

TEST_CASE("Replaces: nobody comes to stand, and to be paid, in the place of a vendor (RFC 3891)") {
  SwitchConfig config = phones_config();
  config.provision.customer_gateways[0].sip.replaces = ReplacesMode::any;
  bool is_customer_too = false;
  SUBCASE("that is no customer") {}
  SUBCASE("that is a customer too, as a PBX is") { is_customer_too = true; }
  if (is_customer_too) {
    CustomerGateway twin = config.provision.customer_gateways[0];
    twin.id = config.provision.vendor_gateways[0].id;
    twin.addresses = {gateway_address("10.0.2.1")};
    config.provision.customer_gateways.push_back(twin);
  }
  PhoneOffice office(config);
  const auto first = office.dial_from(1001, "442079460000");
  office.answered(first);
  office.run_s(2);
  const auto far = office.b->last_call();
  DialPlan plan;
  plan.replaces = far->replaces();
  const auto taker = office.dial(plan, "1002");
  office.run_s(2);
  CHECK(taker->was_answered() == is_customer_too);
  if (!is_customer_too) CHECK(failure_of(*taker) == "failure 403");
  CHECK(far->is_over() == is_customer_too);
  CHECK_FALSE(first->is_over());
  first->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == 1);
  office.check_money();
}

TEST_CASE("Replaces: OPTIONS names the extension to who may use it (RFC 3891 section 6.2)") {
  SwitchConfig config = phones_config();
  auto& settings = config.provision.customer_gateways[0].sip;
  bool is_named = false;
  SUBCASE("off") {}
  SUBCASE("own") {
    settings.replaces = ReplacesMode::own;
    is_named = true;
  }
  PhoneOffice office(config);
  RawEndpoint* const port = *office.world.add_raw_endpoint("10.0.1.1:5077");
  std::string heard;
  port->on_datagram([&](const RawDatagram& datagram) { heard = datagram.bytes; });
  port->send(at(switch_address),
             "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5077;branch=z9hG4bK1\r\n"
             "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n"
             "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
  office.run_s(1);
  CHECK(heard.starts_with("SIP/2.0 200"));
  CHECK(header(heard, "Supported") == (is_named ? "timer, replaces" : "timer"));
}

TEST_CASE("Replaces: it needs an offer, and what the other party takes (RFC 3264)") {
  Talk office;
  DialPlan plan;
  SUBCASE("none") {
    plan.delayed_offer = true;
    const auto taker = office.take(1002, office.desk->replaces(), plan);
    office.run_s(2);
    CHECK(failure_of(*taker) == "failure 488");
  }
  SUBCASE("one that is refused") {
    office.caller->set_reoffer_status(488);
    const auto taker = office.take(1002, office.desk->replaces(), plan);
    office.run_s(2);
    CHECK(failure_of(*taker) == "failure 488");
    office.caller->set_reoffer_status(200);
  }
  office.check_as_before();
  office.desk->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == 1);
  office.check_money();
}

TEST_CASE("Replaces: whom a phone has replaced it may lead elsewhere (T-04)") {
  Talk office;
  const auto taker = office.take(1002, office.desk->replaces(), talking());
  office.answered(taker);
  office.run_s(1);
  taker->refer("<sip:442079460000@10.0.0.1>");
  office.run_s(3);
  CHECK(taker->count("result 202") == 1);
  CHECK(taker->count("notified 200") == 1);
  CHECK(taker->is_over());
  CHECK_FALSE(office.caller->is_over());
  const auto far = office.b->last_call();
  REQUIRE(far != nullptr);
  office.run_s(5);
  office.caller->hang_up();
  office.check_clean();
  REQUIRE(office.world.cdrs().size() == 2);
  for (const Cdr& cdr : office.world.cdrs())
    CHECK((cdr.customer_gateway == "cust" || cdr.customer_gateway == "phone:1002"));
  office.check_money();
}

TEST_CASE("Replaces: a call that is being transferred is not replaced meanwhile") {
  Talk office;
  office.b->set_plan(answer_after(5 * second_us, second_us));
  office.desk->refer("<sip:442079460000@10.0.0.1>");
  office.run_s(2);
  const auto taker = office.take(1002, office.desk->replaces());
  office.run_s(1);
  CHECK(failure_of(*taker) == "failure 491");
  office.run_s(5);
  CHECK(office.desk->is_over());
  office.caller->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE("Replaces: it takes a line of who asks, for as long as it stands there (T-16)") {
  SwitchConfig config = phones_config();
  config.provision.phones[1].line_out = 1;
  Talk office(config);
  const auto taker = office.take(1002, office.desk->replaces());
  office.answered(taker);
  office.run_s(1);
  const auto further = office.dial_from(1002, "442079460000");
  office.run_s(1);
  CHECK(failure_of(*further) == "failure 503");
  taker->hang_up();
  office.run_s(1);
  const auto next = office.dial_from(1002, "442079460000");
  office.answered(next);
  next->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE("Replaces: whatever crosses with it, the call has two ends and one record") {
  enum class Event {
    cancel,
    desk_hangs_up,
    caller_hangs_up,
    caller_holds,
    desk_holds,
    second_taker
  };
  for (const Event event : {Event::cancel, Event::desk_hangs_up, Event::caller_hangs_up,
                            Event::caller_holds, Event::desk_holds, Event::second_taker}) {
    for (const int workers : {1, 3}) {
      for (int at_ms = 0; at_ms <= 200; at_ms += 10 * workers) {
        CAPTURE(static_cast<int>(event));
        CAPTURE(workers);
        CAPTURE(at_ms);
        WorldOptions options;
        options.link.delay_us = 20'000;
        Talk office(phones_config(workers), options);
        const std::string place = office.desk->replaces();
        const auto taker = office.take(1002, place, talking());
        office.run_ms(at_ms);
        std::shared_ptr<EndpointCall> second;
        switch (event) {
          case Event::cancel:
            taker->cancel();
            break;
          case Event::desk_hangs_up:
            office.desk->hang_up();
            break;
          case Event::caller_hangs_up:
            office.caller->hang_up();
            break;
          case Event::caller_holds:
            office.caller->hold();
            break;
          case Event::desk_holds:
            office.desk->hold();
            break;
          case Event::second_taker:
            second = office.take(1003, place, talking(0x44));
            break;
        }
        office.run_s(12);  // longer than every try again
        const bool is_up = !office.caller->is_over();
        int others = 0;
        for (const auto& call : {office.desk, taker, second}) {
          if (call != nullptr && call->was_answered() && !call->is_over()) ++others;
        }
        CHECK(others == (is_up ? 1 : 0));
        CHECK(office.tandem->calls().size() == (is_up ? 1 : 0));
        if (event == Event::caller_hangs_up) CHECK_FALSE(is_up);
        if (event == Event::caller_holds || event == Event::desk_holds)
          CHECK(taker->was_answered());
        if (event == Event::cancel && is_up) {
          const std::uint64_t before = office.caller->packets_received();
          office.run_s(1);
          CHECK(office.caller->packets_received() > before + 40);
          CHECK(office.caller->received_pattern() == (taker->was_answered() ? 0x22 : 0x11));
        }
        office.caller->hang_up();
        office.check_clean();
        CHECK(office.answered_records() == 1);
        office.check_money();
      }
    }
  }
}

TEST_CASE("Replaces: who takes a place speaks as its own settings say (RFC 3891, S-01, RFC 4568)") {
  SwitchConfig config = phones_config();
  DialPlan plan = talking();
  SUBCASE("from where it is") {
    // Only the one that is replaced is held to where it is.
    config.provision.phones[0].media_sources.allow = {IpNetwork::parse("10.0.3.1/32").value()};
  }
  SUBCASE("with encrypted media") {
    config.provision.phones[1].srtp = SrtpMode::required;
    config.provision.phones[1].srtp_any_transport = true;
    plan.srtp = SrtpMode::required;
  }
  Talk office(config);
  const auto taker = office.take(1002, office.desk->replaces(), plan);
  office.answered(taker);
  office.run_s(2);
  CHECK(office.desk->is_over());
  CHECK(office.caller->received_pattern() == 0x22);
  CHECK(taker->received_pattern() == 0x33);
  // The next description comes over the same way.
  taker->hold();
  office.run_s(1);
  taker->resume();
  office.run_s(1);
  CHECK(taker->count("reoffer 200") == 2);
  const std::uint64_t before = office.caller->packets_received();
  office.run_s(1);
  CHECK(office.caller->packets_received() > before + 40);
  taker->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == 1);
  office.check_money();
}

TEST_CASE("Replaces: what its settings forbid changes nothing (RFC 3891, RFC 4568)") {
  SwitchConfig config = phones_config();
  SUBCASE("its media must be encrypted") { config.provision.phones[1].srtp = SrtpMode::required; }
  SUBCASE("no codec of its list is offered") {
    config.provision.phones[1].codecs = {CodecName::parse("G729").value()};
  }
  SUBCASE("its media may not come from there, and the other party refuses") {
    config.provision.phones[1].media_sources.deny = {IpNetwork::parse("0.0.0.0/0").value()};
  }
  Talk office(config);
  if (config.provision.phones[1].media_sources.deny.size() == 1)
    office.caller->set_reoffer_status(488);
  const auto taker = office.take(1002, office.desk->replaces(), talking());
  office.run_s(2);
  CHECK(failure_of(*taker) == "failure 488");
  office.check_as_before();
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == 1);
  office.check_money();
}

TEST_CASE("Replaces: who leads a call elsewhere from a place in it is shown itself (T-04)") {
  SwitchConfig config = phones_config();
  auto& settings = config.provision.customer_gateways[0].sip;
  settings.replaces = ReplacesMode::any;
  settings.refer = ReferMode::local;
  config.parameters.call_transfer_using_original_caller = false;
  PhoneOffice office(config);
  const auto first = office.dial_from(1001, "442079460000");
  office.answered(first);
  DialPlan plan;
  plan.replaces = first->replaces();
  const auto taker = office.dial(plan, "1002");
  office.answered(taker);
  office.run_s(1);
  taker->refer("<sip:1003@10.0.0.1>");
  office.run_s(3);
  const auto target = office.phone(1003).last_call();
  REQUIRE(target != nullptr);
  CHECK(target->was_answered());
  CHECK(target->caller() == "1000");
  target->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE("Replaces: its own settings hold while it asks a target first, too (T-05, S-01)") {
  SwitchConfig config = phones_config();
  config.provision.phones[1].media_sources.deny = {IpNetwork::parse("10.0.3.2/32").value()};
  config.provision.phones[1].transfer_keys = true;
  Talk office(config);
  AnswerPlan near;
  near.send_rtp = true;
  near.rtp_pattern = 0x44;
  office.phone(1003).set_plan(near);
  const auto taker = office.take(1002, office.desk->replaces(), talking());
  office.answered(taker);
  office.run_s(1);
  for (const char key : std::string("*21003#")) {
    taker->request("INFO", "application/dtmf-relay",
                   "Signal=" + std::string(1, key) + "\r\nDuration=160\r\n");
    office.run_ms(200);
  }
  office.run_s(5);
  const auto target = office.phone(1003).last_call();
  REQUIRE(target != nullptr);
  REQUIRE(target->was_answered());
  CHECK(taker->received_pattern() == 0x44);
  CHECK(target->packets_received() == 0);  // what 1002 sends comes from where it may not
  taker->hang_up();
  office.run_s(2);
  CHECK_FALSE(office.caller->is_over());
  CHECK(office.caller->received_pattern() == 0x44);
  CHECK(target->received_pattern() == 0x33);
  office.caller->hang_up();
  office.check_clean();
  office.check_money();
}
