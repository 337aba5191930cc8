#include "sip/session_timer.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tandem;
using namespace tandem::sip;

namespace {

TimerOffer offer_of(const std::string& headers) {
  const std::string text =
      "INVITE sip:1@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n"
      "From: <sip:2@10.0.0.2>;tag=a\r\nTo: <sip:1@10.0.0.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
      "Max-Forwards: 70\r\n" +
      headers + "Content-Length: 0\r\n\r\n";
  Message message;
  REQUIRE(scan(text, Framing::datagram, message).kind == Fault::Kind::none);
  return read_timer_offer(message);
}

SessionWatch watch_of(std::int32_t interval_s) {
  SessionWatch watch;
  watch.mode = SessionWatch::Mode::allow;
  watch.interval_s = interval_s;
  return watch;
}

std::string written(const TimerAgreement* agreement, std::uint32_t least_s,
                    SessionWatch::Mode mode = SessionWatch::Mode::allow) {
  char buffer[512];
  MessageWriter writer(buffer, sizeof buffer);
  SessionWatch watch = watch_of(600);
  watch.mode = mode;
  write_timer_request(writer, watch, agreement, least_s);
  return std::string(writer.view());
}

}  // namespace

TEST_CASE("SessionTimer: what a message says is read (RFC 4028 sections 4 and 5)") {
  TimerOffer offer = offer_of(
      "Supported: 100rel, timer\r\nx: 1800;refresher=uas;p=1\r\nMin-SE: 120\r\n"
      "Allow: INVITE, update\r\nAllow: UPDATE\r\n");
  CHECK(offer.is_supported);
  CHECK_FALSE(offer.is_required);
  CHECK(offer.interval_s == 1800);
  CHECK(offer.least_s == 120);
  CHECK(offer.refresher == TimerOffer::Refresher::uas);
  CHECK(offer.has_update);
  offer = offer_of("Require: timer\r\nSession-Expires: 90 ; refresher = UAC\r\n");
  CHECK(offer.is_supported);
  CHECK(offer.is_required);
  CHECK(offer.refresher == TimerOffer::Refresher::uac);
  CHECK_FALSE(offer.has_update);
  offer = offer_of("Session-Expires: 99999999999999\r\nMin-SE: x\r\nSupported: timers\r\n");
  CHECK(offer.interval_s > 86'400);
  CHECK(offer.least_s == 0);
  CHECK_FALSE(offer.is_supported);
}

TEST_CASE("SessionTimer: a server shortens an interval but never below what is allowed (P-18)") {
  const struct {
    const char* headers;
    std::uint32_t interval_s;
    bool is_refresher, is_mutual;
  } cases[] = {
      {"", 600, true, false},
      {"Supported: timer\r\n", 600, true, true},
      {"Supported: timer\r\nSession-Expires: 1800\r\n", 600, true, true},
      {"Supported: timer\r\nSession-Expires: 1800\r\nMin-SE: 900\r\n", 900, true, true},
      {"Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n", 300, false, true},
      {"Supported: timer\r\nSession-Expires: 300;refresher=uas\r\n", 300, true, true},
      // A proxy put it in: who does not speak the extension cannot refresh.
      {"Session-Expires: 300;refresher=uac\r\n", 300, true, false},
      {"Session-Expires: 300\r\nMin-SE: 4000\r\n", 300, true, false},
  };
  for (const auto& one : cases) {
    CAPTURE(one.headers);
    const TimerAgreement agreement = agree_as_server(watch_of(600), offer_of(one.headers));
    CHECK(agreement.interval_s == one.interval_s);
    CHECK(agreement.is_refresher == one.is_refresher);
    CHECK(agreement.is_mutual == one.is_mutual);
  }
}

TEST_CASE("SessionTimer: a client takes what the answer says, or refreshes alone (P-18)") {
  TimerAgreement agreement =
      agree_as_client(600, offer_of("Session-Expires: 400;refresher=uas\r\n"));
  CHECK(agreement.interval_s == 400);
  CHECK_FALSE(agreement.is_refresher);
  CHECK(agreement.is_mutual);
  agreement = agree_as_client(600, offer_of("Session-Expires: 10\r\n"));
  CHECK(agreement.interval_s == session_interval_min_s);  // a peer cannot make us ask all the time
  CHECK(agreement.is_refresher);
  agreement = agree_as_client(600, offer_of("Supported: timer\r\n"));
  CHECK(agreement.interval_s == 600);
  CHECK(agreement.is_refresher);
  CHECK_FALSE(agreement.is_mutual);
  // An answer cannot put the watch off for longer than was asked for.
  agreement = agree_as_client(600, offer_of("Session-Expires: 31536000;refresher=uas\r\n"));
  CHECK(agreement.interval_s == 600);
}

TEST_CASE("SessionTimer: refreshes are at the segments, the end before the interval is over") {
  SessionWatch watch = watch_of(600);
  TimerAgreement agreement{600, true, true};
  CHECK(refresh_after_us(watch, agreement) == 300'000'000);
  CHECK(give_up_after_us(watch, agreement) == 600'000'000);
  watch.refreshes = 10;
  CHECK(refresh_after_us(watch, agreement) == 60'000'000);
  agreement.is_refresher = false;
  CHECK(give_up_after_us(watch, agreement) == 568'000'000);  // RFC 4028 section 10
  watch.early_hangup_s = 100;
  CHECK(give_up_after_us(watch, agreement) == 500'000'000);
  watch.early_hangup_s = 7200;
  CHECK(give_up_after_us(watch, agreement) == 400'000'000);
  agreement.interval_s = 90;
  watch.early_hangup_s = 0;
  CHECK(give_up_after_us(watch, agreement) == 60'000'000);
}

TEST_CASE("SessionTimer: requests and answers say it as RFC 4028 wants") {
  CHECK(written(nullptr, 0) == "Supported: timer\r\nSession-Expires: 600\r\nMin-SE: 90\r\n");
  CHECK(written(nullptr, 1200, SessionWatch::Mode::require) ==
        "Supported: timer\r\nRequire: timer\r\nSession-Expires: 1200\r\nMin-SE: 1200\r\n");
  const TimerAgreement agreement{300, false, true};
  CHECK(written(&agreement, 0) ==
        "Supported: timer\r\nSession-Expires: 300;refresher=uas\r\nMin-SE: 90\r\n");
  char buffer[256];
  MessageWriter writer(buffer, sizeof buffer);
  write_timer_response(writer, {300, true, true});
  CHECK(writer.view() ==
        "Supported: timer\r\nRequire: timer\r\nSession-Expires: 300;refresher=uas\r\n");
}
