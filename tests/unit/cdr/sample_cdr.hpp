// CDRs for tests: plausible ones, and ones with anything in them.
#pragma once

#include <string>

#include "tandem/cdr.hpp"
#include "tandem/clock.hpp"

namespace tandem::cdr::test {

/// 2026-11-25T12:00:00Z.
constexpr std::int64_t noon_us = 1'795'608'000'000'000;

inline std::string digits(Random& random, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += static_cast<char>('0' + random.below(10));
  return text;
}

inline Cdr sample_cdr(std::uint64_t number, Random& random) {
  Cdr cdr;
  cdr.call_id = "call-" + std::to_string(number) + "@192.0.2.1";
  cdr.customer_gateway = "cust-" + std::to_string(number % 7);
  cdr.vendor_gateway = "vendor-" + std::to_string(number % 5);
  cdr.caller_ip = "192.0.2.1:5060";
  cdr.callee_ip = "198.51.100.7:5060";
  cdr.caller_product = "Gate/1.0";
  cdr.caller_in = cdr.caller = cdr.caller_out = "4420" + digits(random, 8);
  cdr.callee_in = "00" + digits(random, 11);
  cdr.callee = cdr.callee_in.substr(2);
  cdr.callee_out = cdr.callee;
  cdr.started_at_us = noon_us + static_cast<std::int64_t>(number) * 1'000'000;
  cdr.pdd_ms = static_cast<std::int64_t>(random.below(3'000));
  const bool is_answered = random.below(2) == 0;
  cdr.ended_at_us = cdr.started_at_us + 4'000'000;
  cdr.customer = ChargeFacts{"acme", Amount{}, 0, "", "USD"};
  cdr.vendor = ChargeFacts{"v1-clearing", Amount{}, 0, "", "USD"};
  if (is_answered) {
    cdr.answered_at_us = cdr.started_at_us + 2'000'000;
    cdr.talk_time_ms = 2'000;
    cdr.customer.charge =
        Amount::from_units(static_cast<std::int64_t>(random.below(1'000'000'000)));
    cdr.customer.billed_time_s = 2;
    cdr.customer.rate_prefix = "44";
    cdr.call_level = CallLevel::international;
    cdr.customer.rate_deck = "retail";
    cdr.customer.rate_terms = "price=0.60|per_s=60";
    cdr.vendor->charge = Amount::from_units(static_cast<std::int64_t>(random.below(500'000'000)));
    cdr.vendor->billed_time_s = 2;
    cdr.vendor->rate_prefix = "4";
    cdr.vendor->rate_deck = "buy";
    cdr.vendor->rate_terms = "price=0.30|per_s=60";
    cdr.end_reason = Reason::NormalCallClearing;
    cdr.end_code = 16;
    cdr.sip_status = 200;
    cdr.q850_cause = 16;
    cdr.release_side = ReleaseSide::caller;
    cdr.media_relayed = true;
    cdr.media_caller = MediaSideStats{100, 17'200, 99, 1, 250, 0, "192.0.2.1:40000"};
    cdr.media_callee = MediaSideStats{99, 17'028, 100, 0, 120, 2, "198.51.100.7:30000"};
    cdr.codecs = {"PCMA", "PCMU,PCMA,telephone-event", "PCMA"};
  } else {
    cdr.end_reason = Reason::CalleeBusy;
    cdr.end_code = 486;
    cdr.sip_status = 486;
    cdr.q850_cause = 17;
    cdr.release_side = ReleaseSide::callee;
  }
  cdr.attempts.push_back(Attempt{*cdr.vendor_gateway, cdr.sip_status, cdr.q850_cause,
                                 cdr.end_reason, cdr.started_at_us + 1'000, cdr.ended_at_us,
                                 cdr.caller_out, cdr.callee_out});
  cdr.choices = "8:vendor-0 0 44 p1 l0/30 tried;";
  return cdr;
}

inline std::string any_text(Random& random) {
  std::string text;
  for (std::uint64_t n = random.below(12); n > 0; --n)
    text += static_cast<char>(random.below(256));
  return text;
}

inline std::int64_t any_integer(Random& random) {
  switch (random.below(5)) {
    case 0:
      return 0;
    case 1:
      return INT64_MAX;
    case 2:
      return INT64_MIN;
    case 3:
      return static_cast<std::int64_t>(random.below(1'000)) - 500;
    default:
      return static_cast<std::int64_t>(random.next());
  }
}

/// Every field at random, limits of the types among them; texts hold any byte.
inline Cdr any_cdr(Random& random) {
  Cdr cdr;
  const auto charge = [&random] {
    return ChargeFacts{any_text(random), Amount::from_units(any_integer(random)),
                       any_integer(random), any_text(random), any_text(random)};
  };
  const auto side = [&random] {
    return MediaSideStats{random.next(),
                          random.next(),
                          random.next(),
                          random.below(10),
                          static_cast<std::uint32_t>(random.next()),
                          random.next(),
                          any_text(random),
                          static_cast<MediaCause>(random.below(13)),
                          any_text(random),
                          static_cast<std::uint32_t>(random.next()),
                          random.next(),
                          random.next(),
                          static_cast<std::uint32_t>(random.next()),
                          random.next()};
  };
  const auto reason = [&random] {
    return static_cast<Reason>(static_cast<int>(random.below(65)) - 48);
  };
  cdr.call_id = any_text(random);
  if (random.below(2) != 0) cdr.customer_gateway = any_text(random);
  if (random.below(2) != 0) cdr.vendor_gateway = any_text(random);
  for (std::string* text :
       {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product, &cdr.callee_product, &cdr.caller_in,
        &cdr.caller, &cdr.caller_out, &cdr.callee_in, &cdr.callee, &cdr.callee_out, &cdr.lrn,
        &cdr.callee_region, &cdr.caller_region, &cdr.choices, &cdr.recording}) {
    *text = any_text(random);
  }
  for (std::int64_t* value : {&cdr.started_at_us, &cdr.answered_at_us, &cdr.ended_at_us,
                              &cdr.pdd_ms, &cdr.talk_time_ms}) {
    *value = any_integer(random);
  }
  cdr.customer = charge();
  if (random.below(2) != 0) cdr.vendor = charge();
  if (random.below(2) != 0) cdr.agent = charge();
  cdr.end_reason = reason();
  cdr.end_code = static_cast<int>(any_integer(random));
  cdr.sip_status = static_cast<int>(any_integer(random));
  cdr.q850_cause = static_cast<int>(any_integer(random));
  cdr.release_side = static_cast<ReleaseSide>(random.below(3));
  for (std::uint64_t n = random.below(4); n > 0; --n) {
    cdr.attempts.push_back(Attempt{any_text(random), static_cast<int>(any_integer(random)),
                                   static_cast<int>(any_integer(random)), reason(),
                                   any_integer(random), any_integer(random), any_text(random),
                                   any_text(random)});
  }
  cdr.media_relayed = random.below(2) != 0;
  cdr.media_caller = side();
  cdr.media_callee = side();
  cdr.codecs = {any_text(random), any_text(random), any_text(random)};
  constexpr CallLevel levels[] = {CallLevel::none, CallLevel::internal, CallLevel::local,
                                  CallLevel::domestic, CallLevel::international};
  cdr.call_level = levels[random.below(std::size(levels))];
  return cdr;
}

}  // namespace tandem::cdr::test
