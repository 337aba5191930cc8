#include "tandem/ip_set.hpp"

#include <algorithm>
#include <utility>

namespace tandem {

namespace {

std::size_t bytes_of(const IpAddress& ip) noexcept {
  return ip.is_ipv4() ? 4 : ip.is_ipv6() ? 16 : 0;
}

/// The address `count` behind; nothing: there is none.
bool advance(IpAddress& ip, std::uint64_t count) noexcept {
  for (std::size_t i = bytes_of(ip); i-- > 0 && count != 0;) {
    const std::uint64_t sum = ip.bytes[i] + (count & 0xff);
    ip.bytes[i] = static_cast<std::uint8_t>(sum);
    count = (count >> 8) + (sum >> 8);
  }
  return count == 0;
}

Error refused(std::string_view text, const char* why) {
  return {ErrorCode::invalid_argument,
          "addresses \"" + std::string(text.substr(0, 100)) + "\" " + why};
}

}  // namespace

Result<IpRange> IpRange::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) {
    const auto network = IpNetwork::parse(text);
    if (!network) return refused(text, "were not IP, IP/LENGTH or FIRST-LAST");
    IpRange range{network->address, network->address};
    const std::size_t bits = 8 * bytes_of(range.last);
    for (std::size_t bit = network->prefix_length; bit < bits; ++bit)
      range.last.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80u >> (bit % 8));
    return range;
  }
  const auto first = IpAddress::parse(text.substr(0, dash));
  const auto last = IpAddress::parse(text.substr(dash + 1));
  if (!first || !last) return refused(text, "were not IP, IP/LENGTH or FIRST-LAST");
  if (first->family != last->family) return refused(text, "were of two families");
  if (*last < *first) return refused(text, "ended before they began");
  return IpRange{*first, *last};
}

Result<IpRange> IpRange::of_count(const IpAddress& first, std::uint64_t count) {
  IpRange range{first, first};
  if (count == 0 || bytes_of(first) == 0 || !advance(range.last, count - 1))
    return Error{ErrorCode::invalid_argument, std::to_string(count) + " addresses from " +
                                                  first.to_string() + " on were not there"};
  return range;
}

std::string IpRange::to_string() const {
  return first == last ? first.to_string() : first.to_string() + '-' + last.to_string();
}

Result<IpSet> IpSet::of(std::vector<IpRange> ranges) {
  if (ranges.size() > ranges_max)
    return Error{ErrorCode::limit, std::to_string(ranges.size()) + " ranges were more than " +
                                       std::to_string(ranges_max)};
  for (const IpRange& range : ranges) {
    if (bytes_of(range.first) == 0 || range.first.family != range.last.family ||
        range.last < range.first)
      return refused(range.first.to_string() + '-' + range.last.to_string(), "were no range");
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const IpRange& a, const IpRange& b) { return a.first < b.first; });
  std::vector<IpRange> merged;
  for (const IpRange& range : ranges) {
    IpAddress next = merged.empty() ? IpAddress{} : merged.back().last;
    const bool has_next = !merged.empty() && advance(next, 1);
    const bool touches = !merged.empty() && merged.back().last.family == range.first.family &&
                         (range.first <= merged.back().last || (has_next && range.first == next));
    if (touches) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  IpSet set;
  if (!merged.empty())
    set.ranges_ = std::make_shared<const std::vector<IpRange>>(std::move(merged));
  return set;
}

bool IpSet::contains(const IpAddress& ip) const noexcept {
  if (ranges_ == nullptr) return false;
  const auto behind = std::upper_bound(
      ranges_->begin(), ranges_->end(), ip,
      [](const IpAddress& one, const IpRange& range) { return one < range.first; });
  if (behind == ranges_->begin()) return false;
  const IpRange& range = *(behind - 1);
  return range.first.family == ip.family && ip <= range.last;
}

const std::vector<IpRange>& IpSet::ranges() const noexcept {
  static const std::vector<IpRange> none;
  return ranges_ == nullptr ? none : *ranges_;
}

}  // namespace tandem
