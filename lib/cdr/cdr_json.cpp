#include "cdr/cdr_json.hpp"

#include <nlohmann/json.hpp>

#include "base/json_depth.hpp"
#include "base/text.hpp"
#include "tandem/route_choices.hpp"

// Written by hand, because the order of the keys is part of the shape and a report may print a
// million lines; read by the library.

namespace tandem::cdr {
namespace {

using nlohmann::json;

/// Writes the members of one object in order.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }

  ObjectWriter& key(std::string_view name) {
    if (!is_first_) out_ += ',';
    is_first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return *this;
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(out_, value);
  }
  template <std::integral Integer>
  void number(std::string_view name, Integer value) {
    key(name);
    append_integer(out_, value);
  }
  void null(std::string_view name) {
    key(name);
    out_ += "null";
  }
  void optional_text(std::string_view name, const std::optional<std::string>& value) {
    if (value) {
      text(name, *value);
    } else {
      null(name);
    }
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool is_first_ = true;
};

void append_side_json(std::string& out, const MediaSideStats& side, const std::string& codecs) {
  ObjectWriter object(out);
  object.number("packets_received", side.packets_received);
  object.number("bytes_received", side.bytes_received);
  object.number("packets_sent", side.packets_sent);
  object.number("packets_lost", side.packets_lost);
  object.number("jitter_us", side.jitter_us);
  object.number("packets_refused", side.packets_refused);
  object.text("remote", side.remote);
  object.text("codecs", codecs);
  object.text("signalled", side.signalled);
  object.text("cause", media_cause_name(side.cause));
  object.number("digits", side.digits);
  object.number("packets_unnegotiated", side.packets_unnegotiated);
  object.number("reported_lost", side.reported_lost);
  object.number("reported_jitter_us", side.reported_jitter_us);
  object.number("srtp_failures", side.srtp_failures);
  object.number("jitter_late", side.jitter_late);
  object.number("jitter_lost", side.jitter_lost);
  object.number("jitter_depth_ms", side.jitter_depth_ms);
  object.end();
}

/// Discarded when it is none, or nests deeper than any that was written here.
json parse(std::string_view text) {
  if (too_deep_at(text)) return json(json::value_t::discarded);
  return json::parse(text, nullptr, false);
}

template <class Integer>
void take(const json& object, const char* name, Integer& value) {
  const auto found = object.find(name);
  if (found != object.end() && found->is_number_integer()) value = found->get<Integer>();
}

void take(const json& object, const char* name, std::string& value) {
  const auto found = object.find(name);
  if (found != object.end() && found->is_string()) value = found->get_ref<const std::string&>();
}

MediaSideStats side_from(const json& media, const char* name, std::string& codecs) {
  MediaSideStats side;
  const auto found = media.find(name);
  if (found == media.end() || !found->is_object()) return side;
  take(*found, "packets_received", side.packets_received);
  take(*found, "bytes_received", side.bytes_received);
  take(*found, "packets_sent", side.packets_sent);
  take(*found, "packets_lost", side.packets_lost);
  take(*found, "jitter_us", side.jitter_us);
  take(*found, "packets_refused", side.packets_refused);
  take(*found, "remote", side.remote);
  take(*found, "codecs", codecs);
  take(*found, "signalled", side.signalled);
  std::string cause;
  take(*found, "cause", cause);
  side.cause = media_cause_from_name(cause).value_or(MediaCause::none);
  take(*found, "digits", side.digits);
  take(*found, "packets_unnegotiated", side.packets_unnegotiated);
  take(*found, "reported_lost", side.reported_lost);
  take(*found, "reported_jitter_us", side.reported_jitter_us);
  take(*found, "srtp_failures", side.srtp_failures);
  take(*found, "jitter_late", side.jitter_late);
  take(*found, "jitter_lost", side.jitter_lost);
  take(*found, "jitter_depth_ms", side.jitter_depth_ms);
  return side;
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length > 1) {
      out.append(text.substr(0, length));
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4U];
      out += hex[static_cast<unsigned char>(c) & 15U];
    } else {
      out += c;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void append_attempts_json(std::string& out, const std::vector<Attempt>& attempts) {
  out += '[';
  for (const Attempt& attempt : attempts) {
    if (&attempt != &attempts.front()) out += ',';
    ObjectWriter object(out);
    object.text("vendor_gateway", attempt.vendor_gateway);
    object.number("sip_status", attempt.sip_status);
    object.number("q850_cause", attempt.q850_cause);
    object.text("reason", reason_facts(attempt.reason).name);
    object.number("started_at_us", attempt.started_at_us);
    object.number("ended_at_us", attempt.ended_at_us);
    object.text("caller_out", attempt.caller_out);
    object.text("callee_out", attempt.callee_out);
    object.end();
  }
  out += ']';
}

void append_media_json(std::string& out, const Cdr& cdr) {
  ObjectWriter object(out);
  object.key("relayed");
  out += cdr.media_relayed ? "true" : "false";
  object.text("codec", cdr.codecs.negotiated);
  object.key("caller");
  append_side_json(out, cdr.media_caller, cdr.codecs.caller);
  object.key("callee");
  append_side_json(out, cdr.media_callee, cdr.codecs.callee);
  object.text("recording", cdr.recording);
  object.end();
}

void append_choices_json(std::string& out, std::string_view choices) {
  const auto parsed = parse_route_choices(choices);
  if (!parsed) return append_json_string(out, choices);
  out += '[';
  for (const RouteChoice& choice : *parsed) {
    if (&choice != &parsed->front()) out += ',';
    ObjectWriter object(out);
    object.text("vendor_gateway", choice.vendor_gateway);
    object.number("rank", choice.rank);
    object.text("prefix", choice.prefix);
    object.key("protect");
    out += choice.is_protect ? "true" : "false";
    object.number("priority", choice.priority);
    object.number("load_calls", choice.load_calls);
    object.number("load_limit", choice.load_limit);
    if (choice.answer_percent >= 0) object.number("answer_percent", choice.answer_percent);
    if (choice.price_per_s > 0) {
      object.text("price", choice.price.to_string());
      object.number("per_s", choice.price_per_s);
    }
    object.text("outcome", choice.passed_over == Reason::none
                               ? "tried"
                               : reason_facts(choice.passed_over).name);
    object.text("rule", choice.rule);
    object.end();
  }
  out += ']';
}

Result<std::vector<Attempt>> attempts_from_json(std::string_view text) {
  const json parsed = parse(text);
  if (!parsed.is_array()) return Error{ErrorCode::corrupt, "attempts were not a JSON array"};
  std::vector<Attempt> attempts;
  for (const json& object : parsed) {
    if (!object.is_object()) return Error{ErrorCode::corrupt, "an attempt was not a JSON object"};
    Attempt attempt;
    std::string reason;
    take(object, "vendor_gateway", attempt.vendor_gateway);
    take(object, "sip_status", attempt.sip_status);
    take(object, "q850_cause", attempt.q850_cause);
    take(object, "reason", reason);
    attempt.reason = reason_from_name(reason).value_or(Reason::none);
    take(object, "started_at_us", attempt.started_at_us);
    take(object, "ended_at_us", attempt.ended_at_us);
    take(object, "caller_out", attempt.caller_out);
    take(object, "callee_out", attempt.callee_out);
    attempts.push_back(std::move(attempt));
  }
  return attempts;
}

Result<void> media_from_json(std::string_view text, Cdr& cdr) {
  const json parsed = parse(text);
  if (!parsed.is_object()) return Error{ErrorCode::corrupt, "media was not a JSON object"};
  const auto relayed = parsed.find("relayed");
  cdr.media_relayed = relayed != parsed.end() && relayed->is_boolean() && relayed->get<bool>();
  take(parsed, "codec", cdr.codecs.negotiated);
  cdr.media_caller = side_from(parsed, "caller", cdr.codecs.caller);
  cdr.media_callee = side_from(parsed, "callee", cdr.codecs.callee);
  take(parsed, "recording", cdr.recording);
  return {};
}

}  // namespace tandem::cdr

namespace tandem {

namespace {

/// What a corrected record said before, by the keys of the record itself.
void append_original_json(std::string& out, const CdrOriginal& original) {
  cdr::ObjectWriter object(out);
  object.number("corrections", original.corrections);
  object.number("correction_id", original.correction_id);
  object.number("corrected_at_us", original.corrected_at_us);
  object.text("reason", original.reason);
  const auto side = [&](const std::string& prefix, const ChargeFacts& facts) {
    object.text(prefix + "charge", facts.charge.to_string());
    object.number(prefix + "billed_time_s", facts.billed_time_s);
    object.text(prefix + "rate_prefix", facts.rate_prefix);
    object.text(prefix + "rate_deck", facts.rate_deck);
    object.text(prefix + "rate_terms", facts.rate_terms);
  };
  side("", original.customer);
  if (original.vendor) side("vendor_", *original.vendor);
  if (original.agent) side("agent_", *original.agent);
  object.end();
}

}  // namespace

std::string to_json(const Cdr& cdr) {
  std::string out;
  out.reserve(1'200);
  cdr::ObjectWriter object(out);
  object.number("record_id", cdr.record_id);
  object.text("call_id", cdr.call_id);
  object.optional_text("customer_gateway", cdr.customer_gateway);
  object.optional_text("vendor_gateway", cdr.vendor_gateway);
  if (cdr.customer.account.empty()) {
    object.null("account");
  } else {
    object.text("account", cdr.customer.account);
  }
  object.text("caller_in", cdr.caller_in);
  object.text("caller", cdr.caller);
  object.text("caller_out", cdr.caller_out);
  object.text("callee_in", cdr.callee_in);
  object.text("callee", cdr.callee);
  object.text("callee_out", cdr.callee_out);
  object.number("started_at_us", cdr.started_at_us);
  object.number("answered_at_us", cdr.answered_at_us);
  object.number("ended_at_us", cdr.ended_at_us);
  object.number("pdd_ms", cdr.pdd_ms);
  object.number("talk_time_ms", cdr.talk_time_ms);
  object.number("billed_time_s", cdr.customer.billed_time_s);
  object.text("charge", cdr.customer.charge.to_string());
  object.text("rate_prefix", cdr.customer.rate_prefix);
  if (cdr.vendor) {
    object.text("vendor_account", cdr.vendor->account);
    object.number("vendor_billed_time_s", cdr.vendor->billed_time_s);
    object.text("vendor_charge", cdr.vendor->charge.to_string());
  } else {
    object.null("vendor_account");
    object.null("vendor_billed_time_s");
    object.null("vendor_charge");
  }
  object.text("currency", cdr.customer.currency);
  object.text("end_reason", reason_facts(cdr.end_reason).name);
  object.number("end_code", cdr.end_code);
  object.number("sip_status", cdr.sip_status);
  object.number("q850_cause", cdr.q850_cause);
  object.text("release_side", release_side_name(cdr.release_side));
  object.key("attempts");
  cdr::append_attempts_json(out, cdr.attempts);
  object.key("media");
  cdr::append_media_json(out, cdr);
  object.text("caller_ip", cdr.caller_ip);
  object.text("callee_ip", cdr.callee_ip);
  object.text("caller_product", cdr.caller_product);
  object.text("callee_product", cdr.callee_product);
  object.text("lrn", cdr.lrn);
  object.text("callee_region", cdr.callee_region);
  object.text("caller_region", cdr.caller_region);
  object.text("rate_deck", cdr.customer.rate_deck);
  object.text("rate_terms", cdr.customer.rate_terms);
  if (cdr.vendor) {
    object.text("vendor_rate_prefix", cdr.vendor->rate_prefix);
    object.text("vendor_rate_deck", cdr.vendor->rate_deck);
    object.text("vendor_rate_terms", cdr.vendor->rate_terms);
  } else {
    object.null("vendor_rate_prefix");
    object.null("vendor_rate_deck");
    object.null("vendor_rate_terms");
  }
  if (cdr.agent) {
    object.text("agent_account", cdr.agent->account);
    object.number("agent_billed_time_s", cdr.agent->billed_time_s);
    object.text("agent_charge", cdr.agent->charge.to_string());
    object.text("agent_rate_prefix", cdr.agent->rate_prefix);
    object.text("agent_rate_deck", cdr.agent->rate_deck);
    object.text("agent_rate_terms", cdr.agent->rate_terms);
    object.text("agent_package_charge", cdr.agent->package_charge.to_string());
    object.number("agent_package_time_s", cdr.agent->package_time_s);
  } else {
    for (const char* key :
         {"agent_account", "agent_billed_time_s", "agent_charge", "agent_rate_prefix",
          "agent_rate_deck", "agent_rate_terms", "agent_package_charge", "agent_package_time_s"})
      object.null(key);
  }
  object.text("package_charge", cdr.customer.package_charge.to_string());
  object.number("package_time_s", cdr.customer.package_time_s);
  object.key("choices");
  cdr::append_choices_json(out, cdr.choices);
  object.text("call_level", call_level_name(cdr.call_level));
  if (cdr.original) {
    object.key("corrected");
    out += "true";
    object.key("original");
    append_original_json(out, *cdr.original);
  }
  object.end();
  return out;
}

}  // namespace tandem
