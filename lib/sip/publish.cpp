// PUBLISH (P-06, RFC 3903): what a user agent says of its state is taken and forgotten, since
// nobody here asks for it. An entity tag carries what must be known of a publication, sealed with
// the secret of the switch, so that nothing is kept for it.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "sip/worker.hpp"

namespace tandem::sip {
namespace {

constexpr std::string_view packages[] = {"presence", "dialog"};  // RFC 3856, RFC 4235
constexpr std::string_view allow_events_line = "Allow-Events: presence, dialog";

std::string_view value_of(const Message& request, std::string_view name) noexcept {
  for (std::size_t i = 0; i < request.header_count; ++i) {
    if (equals_ignoring_case(request.headers[i].name, name))
      return trimmed(request.headers[i].value);
  }
  return {};
}

std::string hexadecimal(std::uint64_t number) {
  char digits[16];
  return {digits, std::to_chars(digits, digits + sizeof digits, number, 16).ptr};
}

/// Whose publication it is and until when.
class EntityTag {
 public:
  EntityTag(const KeyedHash::Key& key, const Message& request, std::string_view package) noexcept
      : key_(key), resource_(request.request_uri), package_(package) {}

  [[nodiscard]] std::string make(std::uint64_t ends_s) const {
    return hexadecimal(ends_s) + "-" + hexadecimal(seal(ends_s));
  }
  /// Whether it is one of ours that has not ended.
  [[nodiscard]] bool is_live(std::string_view tag, std::uint64_t now_s) const {
    std::uint64_t ends_s = 0;
    const auto read = std::from_chars(tag.data(), tag.data() + tag.size(), ends_s, 16);
    return read.ec == std::errc() && ends_s >= now_s && tag == make(ends_s);
  }

 private:
  [[nodiscard]] std::uint64_t seal(std::uint64_t ends_s) const noexcept {
    return KeyedHash(key_).add("publish").add(resource_).add(package_).add(ends_s).value();
  }

  const KeyedHash::Key& key_;
  const std::string_view resource_, package_;
};

}  // namespace

/// RFC 3903 section 6. The same request gets the same answer within a second, so no state is kept
/// of it either.
void StackWorker::on_publish(const Message& request, const Path& from) {
  const std::int32_t most_s = shared_.publish_expires_s.load(std::memory_order_relaxed);
  if (most_s == 0) return refuse(request, from, 405, {}, allow_outside_line);
  if (!is_understood(request, from)) return;
  const Header* const event = request.find(HeaderId::event);
  std::string_view package = event == nullptr ? std::string_view{} : event->value;
  package = trimmed(package.substr(0, package.find(';')));
  if (std::find(std::begin(packages), std::end(packages), package) == std::end(packages))
    return refuse(request, from, 489, {}, allow_events_line);
  const auto now_s = static_cast<std::uint64_t>(loop_.clock().monotonic_us() / 1'000'000);
  const EntityTag tags(shared_.hash_key, request, package);
  const std::string_view matched = value_of(request, "SIP-If-Match");
  if (!matched.empty() && !tags.is_live(matched, now_s)) return refuse(request, from, 412);
  const Header* const expires = request.find(HeaderId::expires);
  const auto asked_s = expires == nullptr ? std::optional(most_s)
                                          : parse_integer<std::int32_t>(trimmed(expires->value));
  const std::int32_t granted_s = std::min(asked_s.value_or(most_s), most_s);
  if (granted_s < 0) return refuse(request, from, 400, "Malformed Expires");
  if (matched.empty() && (request.body.empty() || granted_s == 0))
    return refuse(request, from, 400, "Nothing Published");
  const std::string lines =
      "SIP-ETag: " + tags.make(now_s + static_cast<std::uint64_t>(granted_s)) +
      "\nExpires: " + std::to_string(granted_s);
  refuse(request, from, 200, {}, lines);
}

}  // namespace tandem::sip
