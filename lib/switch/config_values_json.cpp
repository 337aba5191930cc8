// Values that several objects of the configuration have.
#include "switch/config_values_json.hpp"

#include <algorithm>

#include "base/calendar.hpp"
#include "base/text.hpp"
#include "base/time_zone.hpp"
#include "switch/resolve.hpp"
#include "tandem/rewrite.hpp"

namespace tandem::config {

void read_memo(Reader& r, const Json& v) {
  std::string ignored;
  r.string(v, ignored, 4096);
}

void read_id(Reader& r, const Json& v, std::string& id) {
  if (!r.string(v, id, 64)) return;
  bool good = !id.empty();
  for (unsigned char c : id)
    good = good && c > 0x20 && c != 0x7f && c != '"' && c != ',' && c != '|';
  if (!good)
    r.fail("\"" + id + "\" is no id: 1..64 characters without blanks, quotes, commas and bars");
}

void read_domain(Reader& r, const Json& v, std::string& domain) {
  std::string text;
  if (!r.string(v, text, 253)) return;
  const auto is_good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.';
  };
  if (!std::all_of(text.begin(), text.end(), is_good)) {
    r.fail("\"" + text + "\" is no domain name");
    return;
  }
  domain = std::move(text);
}

namespace {

constexpr std::size_t replacements_max = 128;

bool is_target(const CodeRange& range, std::int64_t code) noexcept {
  if (code < range.least || code > range.most) return false;
  return !range.is_sip || (code >= 400 && code != 401 && code != 407 && (code < 420 || code > 422));
}

}  // namespace

void read_replacements(Reader& r, const Json& v, const CodeRange& from, const CodeRange& to,
                       std::vector<CodeReplacement>& list, bool takes_zero) {
  std::vector<std::int32_t> seen;  // also in rows that are wrong otherwise
  r.each(v, [&](const Json& item) {
    struct Row {
      Json from, to;
    };
    static const std::vector<Field<Row>> keys = {
        {"from", "", "", "", [](Reader&, const Json& vv, Row& row) { row.from = vv; }},
        {"to", "", "", "", [](Reader&, const Json& vv, Row& row) { row.to = vv; }},
    };
    Row row;
    read_object(r, item, keys, {"from", "to"}, row);
    const auto code = [&](const char* key, const Json& value, bool is_of_caller,
                          std::int32_t& out) {
      if (value.is_null()) return false;
      Reader::Step step(r, key);
      std::int64_t number = 0;
      const CodeRange& range = is_of_caller ? to : from;
      if (!r.integer(value, 0, range.most, number)) return false;
      const bool is_good = number == 0    ? takes_zero
                           : is_of_caller ? is_target(range, number)
                                          : number >= range.least;
      if (!is_good) {
        r.fail(std::to_string(number) +
               (is_of_caller ? " is nothing that a caller can be told" : " is no failure"));
        return false;
      }
      out = static_cast<std::int32_t>(number);
      return true;
    };
    CodeReplacement replacement;
    const bool has_from = code("from", row.from, false, replacement.from);
    const bool has_to = code("to", row.to, true, replacement.to);
    if (!has_from) return;
    if (std::find(seen.begin(), seen.end(), replacement.from) != seen.end())
      r.fail("\"from\" " + std::to_string(replacement.from) + " is there twice");
    seen.push_back(replacement.from);
    if (has_to) list.push_back(replacement);
  });
  if (seen.size() > replacements_max)
    r.fail(std::to_string(seen.size()) + " rows are more than " + std::to_string(replacements_max));
}

void read_media_mode(Reader& r, const Json& v, MediaMode& mode) {
  r.choice<MediaMode>(v,
                      {{"auto", MediaMode::auto_mode},
                       {"on", MediaMode::on},
                       {"off", MediaMode::off},
                       {"must_on", MediaMode::must_on}},
                      mode);
}

void read_rtp_interrupt(Reader& r, const Json& v, RtpInterrupt& interrupt) {
  r.choice<RtpInterrupt>(v,
                         {{"none", RtpInterrupt::none},
                          {"to_remote", RtpInterrupt::to_remote},
                          {"from_remote", RtpInterrupt::from_remote},
                          {"both", RtpInterrupt::both}},
                         interrupt);
}

void read_number_kind(Reader& r, const Json& v, NumberKind& kind) {
  r.choice<NumberKind>(
      v, {{"city", NumberKind::city}, {"mobile", NumberKind::mobile}, {"other", NumberKind::other}},
      kind);
}

void read_number_kinds(Reader& r, const Json& v, std::vector<NumberKind>& kinds) {
  std::vector<std::string> names;
  if (!r.strings(v, names)) return;
  kinds.clear();
  for (std::size_t i = 0; i < names.size(); ++i) {
    Reader::Step step(r, i);
    if (const auto kind = number_kind_from_name(names[i])) {
      kinds.push_back(*kind);
    } else {
      r.fail("\"" + names[i] + "\" is none of city, mobile, other");
    }
  }
}

void read_call_level(Reader& r, const Json& v, CallLevel& level) {
  r.choice<CallLevel>(v,
                      {{"internal", CallLevel::internal},
                       {"local", CallLevel::local},
                       {"domestic", CallLevel::domestic},
                       {"international", CallLevel::international}},
                      level);
}

void read_rel100(Reader& r, const Json& v, Rel100Mode& mode) {
  if (v.is_boolean()) {
    mode = v.get<bool>() ? Rel100Mode::allow : Rel100Mode::off;
    return;
  }
  r.choice<Rel100Mode>(
      v, {{"off", Rel100Mode::off}, {"allow", Rel100Mode::allow}, {"require", Rel100Mode::require}},
      mode);
}

void read_refer(Reader& r, const Json& v, ReferMode& mode) {
  r.choice<ReferMode>(
      v, {{"off", ReferMode::off}, {"local", ReferMode::local}, {"relay", ReferMode::relay}}, mode);
}

void read_redirect_servers(Reader& r, const Json& v, RedirectServers& servers) {
  r.choice<RedirectServers>(v,
                            {{"as_vendors", RedirectServers::as_vendors},
                             {"off", RedirectServers::off},
                             {"first", RedirectServers::first},
                             {"only", RedirectServers::only}},
                            servers);
}

void read_replaces(Reader& r, const Json& v, ReplacesMode& mode) {
  r.choice<ReplacesMode>(v,
                         {{"off", ReplacesMode::off},
                          {"own", ReplacesMode::own},
                          {"account", ReplacesMode::account},
                          {"any", ReplacesMode::any}},
                         mode);
}

void read_codecs(Reader& r, const Json& v, std::vector<CodecName>& codecs) {
  std::vector<std::string> names;
  if (!r.strings(v, names)) return;
  if (names.size() > codecs_max) {
    r.fail(std::to_string(names.size()) + " codecs are more than " + std::to_string(codecs_max));
    return;
  }
  std::vector<CodecName> read;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Reader::Step step(r, i);
    auto codec = CodecName::parse(names[i]);
    if (!codec) {
      r.fail(codec.error().message);
    } else if (std::find(read.begin(), read.end(), *codec) != read.end()) {
      r.fail("\"" + names[i] + "\" is there twice");
    } else {
      read.push_back(std::move(*codec));
    }
  }
  codecs = std::move(read);
}

void read_rewrite(Reader& r, const Json& v, std::string& rules) {
  std::string text;
  if (!r.string(v, text, 16384)) return;
  if (auto compiled = RewriteRules::compile(text); !compiled) {
    r.fail(compiled.error().message);
    return;
  }
  rules = std::move(text);
}

void read_currency(Reader& r, const Json& v, std::string& currency) {
  std::string text;
  if (!r.string(v, text, 8)) return;
  bool good = text.size() >= 3;
  for (char c : text)
    good = good && c >= 'A' && c <= 'Z';
  if (!good) {
    r.fail("\"" + text + "\" is no currency code such as \"USD\"");
    return;
  }
  currency = std::move(text);
}

void read_lengths(Reader& r, const Json& v, std::vector<int>& lengths) {
  r.each(v, [&](const Json& item) {
    std::int64_t length = 0;
    if (r.integer(item, 0, 32, length)) lengths.push_back(static_cast<int>(length));
  });
}

void read_prefixes(Reader& r, const Json& v, std::vector<std::string>& prefixes) {
  std::vector<std::string> read;
  if (!r.strings(v, read)) return;
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (!read[i].empty() && !is_number(read[i])) {
      Reader::Step step(r, i);
      r.fail("\"" + read[i] + "\" is no prefix: 0..32 of 0-9 A-Z a-z + * # _");
    }
  }
  prefixes = std::move(read);
}

bool is_none(const Json& v) { return v.is_string() && (v == "None" || v == "none"); }

void read_timezone(Reader& r, const Json& v, std::string& zone) {
  std::string text;
  if (!r.string(v, text, 64)) return;
  if (r.looks_outside()) {
    if (auto loaded = TimeZone::load(text); !loaded) {
      r.fail(loaded.error().message);
      return;
    }
  }
  zone = std::move(text);
}

void read_day_class(Reader& r, const Json& v, DayClass& kind) {
  r.choice<DayClass>(
      v, {{"work", DayClass::work}, {"rest", DayClass::rest}, {"holiday", DayClass::holiday}},
      kind);
}

void read_time_of_day(Reader& r, const Json& v, std::int32_t& out_s) {
  if (!v.is_string()) {
    r.number(v, 0, 86400, out_s);
    return;
  }
  std::string text;
  if (!r.string(v, text, 8)) return;
  const auto read = parse_time_of_day(text);
  if (read) {
    out_s = *read;
  } else {
    r.fail(read.error().message);
  }
}

void read_percent(Reader& r, const Json& v, std::optional<std::int32_t>& hundredths) {
  constexpr std::int64_t limit = 10'000;
  constexpr std::int64_t units = Amount::scale / 100;
  Amount percent;
  std::int64_t whole = 0;
  if (!v.is_string()) {
    if (!r.integer(v, -limit, limit, whole)) return;
    percent = Amount::from_units(whole * Amount::scale);
  } else if (!r.amount(v, percent)) {
    return;
  }
  if (percent.units() % units != 0 || percent.units() > limit * Amount::scale ||
      percent.units() < -limit * Amount::scale) {
    r.fail(percent.to_string() + " is no percentage in -10000..10000 with at most two decimals");
    return;
  }
  hundredths = static_cast<std::int32_t>(percent.units() / units);
}

void read_price(Reader& r, const Json& v, std::optional<Amount>& out) {
  Amount price;
  if (!r.amount(v, price)) return;
  if (price.is_negative()) {
    r.fail("price " + price.to_string() + " is negative");
    return;
  }
  out = price;
}

void read_days(Reader& r, const Json& v, DaySet& out) {
  std::vector<std::string> words;
  if (!r.strings(v, words)) return;
  auto days = DaySet::parse(words);
  if (!days) {
    r.fail(days.error().message);
    return;
  }
  out = *days;
}

void read_first_time_of_day(Reader& r, const Json& v, std::int32_t& out_s) {
  read_time_of_day(r, v, out_s);
  if (out_s == 86400) r.fail("nothing can begin at \"24:00\"");
}

void read_tax(Reader& r, const Json& v, Amount& out) {
  Amount percent;
  if (!r.amount(v, percent)) return;
  if (percent.is_negative() || percent > tax_percent_max ||
      percent.units() % (Amount::scale / 10'000) != 0) {
    r.fail(percent.to_string() + " is no tax in 0..1000 percent with at most 4 decimals");
    return;
  }
  out = percent;
}

void read_number(Reader& r, const Json& v, std::string& number) {
  if (r.string(v, number, 64) && !is_number(number))
    r.fail("\"" + number + "\" is no number: 1..32 of 0-9 A-Z a-z + * # _");
}

void read_numbers(Reader& r, const Json& v, std::vector<std::string>& numbers) {
  numbers.clear();
  r.each(v, [&](const Json& item) {
    std::string number;
    read_number(r, item, number);
    if (!number.empty()) numbers.push_back(std::move(number));
  });
}

void read_billing_prefix(Reader& r, const Json& v, std::string& out) {
  std::string prefix;
  if (!r.string(v, prefix, 32)) return;
  if (!prefix.empty() && !is_number(prefix)) {
    r.fail("\"" + prefix + "\" is no prefix: 0..32 of 0-9 A-Z a-z + * # _");
    return;
  }
  out = std::move(prefix);
}

void read_addresses(Reader& r, const Json& v, std::vector<GatewayAddress>& addresses) {
  r.each(v, [&](const Json& item) {
    std::string text;
    if (!r.string(item, text)) return;
    auto read = read_gateway_address(text);
    if (!read) {
      r.fail(read.error().message);
      return;
    }
    addresses.push_back(std::move(*read));
  });
}

}  // namespace tandem::config
