// What packages and orders may say, when their periods are, and the texts of what calls take.
#include <algorithm>
#include <charconv>
#include <utility>

#include "base/calendar.hpp"
#include "base/text.hpp"
#include "base/text_table.hpp"
#include "rating/package_terms.hpp"

namespace tandem {
namespace {

__extension__ using Wide = __int128;
constexpr std::int64_t us_per_s = 1'000'000;
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t periods_max = 1'200;
constexpr std::int32_t rent_percent_max = 10'000;

Error out_of_range(std::string_view field, std::string_view value, std::string_view range) {
  return {ErrorCode::invalid_argument,
          std::string(field).append(" was ").append(value).append(", not ").append(range)};
}

Result<void> check_id(std::string_view field, std::string_view id) {
  if (id.empty() || id.size() > 64)
    return out_of_range(field, std::to_string(id.size()) + " bytes long", "1..64");
  // '|' ends an order in the texts of what calls take, and control characters end their lines.
  const auto is_bad = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '|'; };
  if (std::none_of(id.begin(), id.end(), is_bad)) return {};
  return out_of_range(field, "\"" + printable_text(id) + "\"",
                      "without '|' and control characters");
}

Result<void> check_amount(std::string_view field, Amount amount) {
  if (!amount.is_negative() && amount <= account_amount_max) return {};
  return out_of_range(field, amount.to_string(), "0.." + account_amount_max.to_string());
}

Result<void> check_hours(std::int32_t from_s, std::int32_t to_s) {
  if (from_s < 0 || from_s >= day_s)
    return out_of_range("from", std::to_string(from_s) + " s", "0..86399");
  if (to_s < 1 || to_s > day_s || to_s == from_s)
    return out_of_range("to", std::to_string(to_s) + " s", "1..86400 and not its from");
  return {};
}

Result<void> check_prefix(std::string_view prefix) {
  if (prefix.empty() || is_number(prefix)) return {};
  return out_of_range("a prefix", std::to_string(prefix.size()) + " bytes of something else",
                      "0..32 characters of a number");
}

Result<void> check_step(std::string_view field, std::int64_t seconds) {
  if (seconds >= 1 && seconds <= rate_period_max_s) return {};
  return out_of_range(field, std::to_string(seconds), "1.." + std::to_string(rate_period_max_s));
}

Result<void> check_gift(const PackageGift& gift) {
  if (gift.prefixes.size() > package_prefixes_max)
    return out_of_range("number of prefixes", std::to_string(gift.prefixes.size()),
                        "0.." + std::to_string(package_prefixes_max));
  for (const std::string& prefix : gift.prefixes) {
    if (auto checked = check_prefix(prefix); !checked) return checked;
  }
  if (auto hours = check_hours(gift.from_s, gift.to_s); !hours) return hours;
  if (gift.seconds < 0 || gift.seconds > rated_time_max_s)
    return out_of_range("seconds of a gift", std::to_string(gift.seconds),
                        "0.." + std::to_string(rated_time_max_s));
  return check_step("cycle_s of a gift", gift.cycle_s);
}

/// Days since 1970 of the first of a month; `month` counts from year 0.
std::int64_t first_of_month(std::int64_t month) noexcept {
  return days_from_civil({static_cast<int>(month / 12), static_cast<int>(month % 12) + 1, 1});
}

/// The day of `date` in a later month, its last one when it has no such day.
std::int64_t day_in_month(CivilDate date, std::int64_t month) noexcept {
  const std::int64_t first = first_of_month(month);
  return first + std::min<std::int64_t>(date.day, first_of_month(month + 1) - first) - 1;
}

std::int64_t month_of(CivilDate date) noexcept {
  return std::int64_t{12} * date.year + date.month - 1;
}

/// Of the day that a span of so many months contains, counted from `first_day`; clamped days never
/// make a span end before it begins.
std::pair<std::int64_t, std::int64_t> month_span(std::int64_t first_day, std::int64_t months,
                                                 bool is_of_calendar, std::int64_t day) noexcept {
  const std::int64_t month = month_of(civil_from_days(day));
  if (is_of_calendar) {
    const std::int64_t begin = month - month % months;
    return {first_of_month(begin), first_of_month(begin + months)};
  }
  const CivilDate anchor = civil_from_days(first_day);
  std::int64_t begin = month_of(anchor);
  if (month > begin) begin += (month - begin) / months * months;
  if (day_in_month(anchor, begin) > day && begin > month_of(anchor)) begin -= months;
  return {day_in_month(anchor, begin), day_in_month(anchor, begin + months)};
}

/// Takes one part that append_fields() made from the front of `text`. The order goes up to the
/// first '|' and may have a ';', the numbers behind it have none.
template <std::size_t Count>
bool take_fields(std::string_view& text, std::string_view (&fields)[Count]) noexcept {
  for (std::size_t i = 0; i < Count; ++i) {
    const std::size_t end = std::min(text.find(i + 1 == Count ? ';' : '|'), text.size());
    if (end == text.size() && i + 1 != Count) return false;
    fields[i] = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return !fields[0].empty();
}

template <class Int>
bool read_integer(std::string_view text, Int& out, Int low) noexcept {
  const auto value = parse_integer<Int>(text);
  if (!value || *value < low) return false;
  out = *value;
  return true;
}

bool read_units(std::string_view text, Amount& out) noexcept {
  std::int64_t units = 0;
  if (!read_integer<std::int64_t>(text, units, 0)) return false;
  out = Amount::from_units(units);
  return true;
}

void append_fields(std::string& text, std::string_view order,
                   std::initializer_list<std::int64_t> numbers) {
  if (!text.empty()) text += ';';
  text += order;
  for (const std::int64_t number : numbers) {
    text += '|';
    append_integer(text, number);
  }
}

/// The parts of a text that append_fields() made.
template <std::size_t Count, class Read>
Result<void> each_part(std::string_view text, const char* what, Read read) {
  while (!text.empty()) {
    const std::string_view rest = text;
    std::string_view fields[Count];
    if (!take_fields(text, fields) || !read(fields))
      return Error{ErrorCode::corrupt, std::string("what a call ") + what +
                                           " of packages was written as \"" +
                                           printable_text(rest.substr(0, 80)) + '"'};
  }
  return {};
}

}  // namespace

const char* rent_type_name(RentType type) noexcept {
  switch (type) {
    case RentType::day:
      return "day";
    case RentType::month:
      return "month";
    case RentType::year:
      return "year";
    case RentType::once:
      return "once";
  }
  return "";
}

const char* package_phase_name(PackagePhase phase) noexcept {
  switch (phase) {
    case PackagePhase::accepted:
      return "accepted";
    case PackagePhase::open:
      return "open";
    case PackagePhase::awaits_recharge:
      return "awaits_recharge";
    case PackagePhase::awaits_period:
      return "awaits_period";
    case PackagePhase::ended:
      return "ended";
  }
  return "";
}

const char* package_news_name(PackageNews::Kind kind) noexcept {
  switch (kind) {
    case PackageNews::Kind::opened:
      return "opened";
    case PackageNews::Kind::closed:
      return "closed";
    case PackageNews::Kind::rent_failed:
      return "rent_failed";
    case PackageNews::Kind::ended:
      return "ended";
  }
  return "";
}

Result<void> check_package(const Package& package) {
  if (auto id = check_id("package id", package.id); !id) return id;
  if (*rent_type_name(package.rent_type) == '\0')
    return out_of_range("rent_type", std::to_string(static_cast<int>(package.rent_type)), "a type");
  const std::int64_t longest = package.rent_type == RentType::once ? rated_time_max_s : periods_max;
  if (package.rent_period < 1 || package.rent_period > longest)
    return out_of_range("rent_period", std::to_string(package.rent_period),
                        "1.." + std::to_string(longest));
  for (const auto& [field, amount] : {std::pair("rent_fee", package.rent_fee),
                                      std::pair("min_consumption", package.min_consumption),
                                      std::pair("lower_consumption", package.lower_consumption),
                                      std::pair("gift_money", package.gift_money)}) {
    if (auto checked = check_amount(field, amount); !checked) return checked;
  }
  if (package.gift_times.size() > package_gifts_max)
    return out_of_range("number of gift_times", std::to_string(package.gift_times.size()),
                        "0.." + std::to_string(package_gifts_max));
  for (const PackageGift& gift : package.gift_times) {
    if (auto checked = check_gift(gift); !checked) return checked;
  }
  if (package.period_rates.size() > package_rates_max)
    return out_of_range("number of period_rates", std::to_string(package.period_rates.size()),
                        "0.." + std::to_string(package_rates_max));
  for (const PackageRate& rate : package.period_rates) {
    if (rate.days == DaySet{}) return out_of_range("days of a period rate", "none", "some");
    if (auto hours = check_hours(rate.from_s, rate.to_s); !hours) return hours;
    if (auto checked = check_rate(rating::rate_of(rate)); !checked) return checked;
    if (!package.schedule.is_split()) continue;
    // What one number may meet in a call.
    const auto meets = std::count_if(
        package.period_rates.begin(), package.period_rates.end(),
        [&](const PackageRate& other) { return rate.prefix.starts_with(other.prefix); });
    if (meets > static_cast<std::ptrdiff_t>(rate_windows_max))
      return out_of_range("number of split period_rates for " + rate.prefix, std::to_string(meets),
                          "0.." + std::to_string(rate_windows_max));
  }
  return {};
}

Result<void> check_package_order(const PackageOrder& order, const Package& package) {
  if (auto id = check_id("order id", order.id); !id) return id;
  if (auto id = check_id("account of an order", order.account); !id) return id;
  if (!order.phone.empty() && !is_number(order.phone))
    return out_of_range("phone of an order", "\"" + order.phone + "\"", "a number");
  // The characters that keys and texts are put together with.
  if (order.id.find_first_of("|;/") != std::string::npos)
    return out_of_range("order id", "\"" + order.id + "\"", "without '|', ';' and '/'");
  if (order.rent_percent < 0 || order.rent_percent > rent_percent_max)
    return out_of_range("rent_percent", std::to_string(order.rent_percent), "0..10000");
  if (order.failed_process_mode > RentFailure::end_order)
    return out_of_range("failed_process_mode",
                        std::to_string(static_cast<int>(order.failed_process_mode)), "0..2");
  if (order.failed_process_mode == RentFailure::await_period &&
      package.rent_type != RentType::day && package.rent_type != RentType::month) {
    return out_of_range("failed_process_mode", "1",
                        "possible with a package by the day or month only");
  }
  return {};
}

std::string monthly_order_id(std::string_view account) {
  return std::string("monthly/").append(account);
}

std::string monthly_order_id_of_phone(std::string_view number, std::string_view account) {
  return std::string("monthly-phone/").append(number).append("/").append(account);
}

PackageSpan package_span(const Package& package, std::int64_t first_day,
                         std::int64_t at_us) noexcept {
  if (package.rent_type == RentType::once)
    return {at_us, at_us + package.rent_period * us_per_s, 0};
  const TimeZone& zone = rating::calendar_of(package.schedule).zone();
  const std::int64_t day = std::max(zone.local(at_us).day, first_day);
  std::pair<std::int64_t, std::int64_t> days;
  switch (package.rent_type) {
    case RentType::month:
      days = month_span(first_day, package.rent_period, package.nonholonomic_order, day);
      break;
    case RentType::year:
      days = month_span(first_day, 12 * package.rent_period, package.nonholonomic_order, day);
      break;
    default:
      days.first = day - (day - first_day) % package.rent_period;
      days.second = days.first + package.rent_period;
      break;
  }
  return {rating::midnight_us(zone, days.first), rating::midnight_us(zone, days.second),
          days.second - days.first};
}

std::int64_t PackageLoan::seconds() const noexcept {
  std::int64_t sum = 0;
  for (const Part& part : parts)
    sum += part.seconds;
  return sum;
}

Amount PackageLoan::money() const noexcept {
  std::int64_t units = 0;
  for (const Part& part : parts)
    units += part.money.units();
  return Amount::from_units(units);
}

std::string to_text(const PackageUse& use) {
  std::string text;
  for (const PackageUse::Part& part : use.parts)
    append_fields(
        text, part.order,
        {part.period_start_us, part.gift, part.seconds, part.money.units(), part.spend.units()});
  return text;
}

Result<PackageUse> parse_package_use(std::string_view text) {
  PackageUse use;
  auto read = each_part<6>(text, "took", [&](const std::string_view(&fields)[6]) {
    PackageUse::Part part;
    part.order = fields[0];
    if (!read_integer<std::int64_t>(fields[1], part.period_start_us, INT64_MIN) ||
        !read_integer<std::int32_t>(fields[2], part.gift, -1) ||
        !read_integer<std::int64_t>(fields[3], part.seconds, 0) ||
        !read_units(fields[4], part.money) || !read_units(fields[5], part.spend))
      return false;
    use.time_s += part.seconds;
    use.money = Amount::add(use.money, part.money).value_or(use.money);
    use.parts.push_back(std::move(part));
    return true;
  });
  if (!read) return read.error();
  return use;
}

std::string to_text(const PackageLoan& loan) {
  std::string text;
  for (const PackageLoan::Part& part : loan.parts)
    append_fields(
        text, part.order,
        {part.period_start_us, part.gift, part.cycle_s, part.seconds, part.money.units()});
  return text;
}

Result<PackageLoan> parse_package_loan(std::string_view text) {
  PackageLoan loan;
  auto read = each_part<6>(text, "had lent", [&](const std::string_view(&fields)[6]) {
    PackageLoan::Part part;
    part.order = fields[0];
    if (!read_integer<std::int64_t>(fields[1], part.period_start_us, INT64_MIN) ||
        !read_integer<std::int32_t>(fields[2], part.gift, -1) ||
        !read_integer<std::int32_t>(fields[3], part.cycle_s, 1) ||
        !read_integer<std::int64_t>(fields[4], part.seconds, 0) ||
        !read_units(fields[5], part.money))
      return false;
    loan.parts.push_back(std::move(part));
    return true;
  });
  if (!read) return read.error();
  return loan;
}

namespace rating {

std::int64_t midnight_us(const TimeZone& zone, std::int64_t day) noexcept {
  // A zone's midnight is within 26 hours of that of UTC; where the clocks skip it the day begins
  // with its first second.
  std::int64_t before_s = day * day_s - 26 * 3'600;
  std::int64_t after_s = day * day_s + 26 * 3'600;
  while (after_s - before_s > 1) {
    const std::int64_t middle_s = before_s + (after_s - before_s) / 2;
    (zone.local(middle_s * us_per_s).day >= day ? after_s : before_s) = middle_s;
  }
  return after_s * us_per_s;
}

Rate rate_of(const PackageRate& period_rate) {
  Rate rate;
  rate.prefix = period_rate.prefix;
  rate.price = period_rate.price;
  rate.per_s = period_rate.per_s;
  rate.first_s = period_rate.first_s;
  rate.next_s = period_rate.next_s;
  return rate;
}

RateWindow window_of(const PackageRate& period_rate) {
  RateWindow window;
  window.days = period_rate.days;
  window.from_s = period_rate.from_s;
  window.to_s = period_rate.to_s;
  window.price = period_rate.price;
  window.per_s = period_rate.per_s;
  window.first_s = period_rate.first_s;
  window.next_s = period_rate.next_s;
  return window;
}

Amount share_of(Amount whole, std::int64_t percent, std::int64_t days,
                std::int64_t whole_days) noexcept {
  const Wide divisor = Wide{100} * whole_days;
  const Wide product = Wide{whole.units()} * percent * days;
  const Wide units = (product + divisor / 2) / divisor;
  return units > account_amount_max.units() ? account_amount_max
                                            : Amount::from_units(static_cast<std::int64_t>(units));
}

}  // namespace rating
}  // namespace tandem
