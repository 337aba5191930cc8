#include "tandem/number_transform.hpp"

#include <unordered_map>
#include <utility>

#include "base/prefix_table.hpp"
#include "route/area_names.hpp"
#include "tandem/values.hpp"

namespace tandem {
namespace {

/// Looks up by view without making a string.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};
using Names = std::unordered_map<std::string, std::string, TextHash, std::equal_to<>>;

Error no_number(const char* what, const std::string& text) {
  return {ErrorCode::invalid_argument,
          std::string(what) + " \"" + text + "\" was not 1..32 characters of 0-9 A-Z a-z + * # _"};
}

std::string_view find(const Names& names, std::string_view number) noexcept {
  const auto found = names.find(number);
  return found == names.end() ? number : std::string_view(found->second);
}

}  // namespace

struct NumberTransforms::Body {
  Names from_customer, to_vendor;
};

Result<NumberTransforms> NumberTransforms::build(const std::vector<NumberTransform>& entries) {
  NumberTransforms table;
  if (entries.empty()) return table;
  auto body = std::make_shared<Body>();
  Names numbers;
  for (const NumberTransform& entry : entries) {
    if (!is_number(entry.number)) return no_number("number", entry.number);
    if (!numbers.emplace(entry.number, "").second) {
      return Error{ErrorCode::already_exists,
                   "number \"" + entry.number + "\" was transformed before"};
    }
    if (entry.customer_caller.empty() && entry.vendor_callee.empty()) {
      return Error{ErrorCode::invalid_argument,
                   "transform of \"" + entry.number + "\" changed nothing"};
    }
    if (!entry.customer_caller.empty()) {
      if (!is_number(entry.customer_caller)) return no_number("caller", entry.customer_caller);
      if (!body->from_customer.emplace(entry.customer_caller, entry.number).second) {
        return Error{ErrorCode::already_exists,
                     "caller \"" + entry.customer_caller + "\" stood for another number before"};
      }
    }
    if (!entry.vendor_callee.empty()) {
      if (!is_number(entry.vendor_callee)) return no_number("callee", entry.vendor_callee);
      body->to_vendor.emplace(entry.number, entry.vendor_callee);
    }
  }
  table.body_ = std::move(body);
  return table;
}

std::string_view NumberTransforms::from_customer(std::string_view caller) const noexcept {
  return body_ == nullptr ? caller : find(body_->from_customer, caller);
}

std::string_view NumberTransforms::to_vendor(std::string_view callee) const noexcept {
  return body_ == nullptr ? callee : find(body_->to_vendor, callee);
}

struct MobileAreas::Body {
  struct Home {
    std::uint32_t area;
    std::string code;
  };
  route::AreaNames areas;
  std::vector<Home> homes;
  PrefixTable<> prefixes;  // to homes
};

Result<MobileAreas> MobileAreas::build(const std::vector<MobileArea>& entries) {
  MobileAreas table;
  if (entries.empty()) return table;
  auto body = std::make_shared<Body>();
  std::vector<std::string> areas;
  for (const MobileArea& entry : entries)
    areas.push_back(entry.area);
  body->areas = route::AreaNames(std::move(areas));
  PrefixTable<>::Builder prefixes;
  for (const MobileArea& entry : entries) {
    if (!is_number(entry.prefix)) return no_number("mobile prefix", entry.prefix);
    if (!is_number(entry.area_code)) return no_number("area code", entry.area_code);
    if (entry.area.empty()) {
      return Error{ErrorCode::invalid_argument,
                   "area of mobile prefix \"" + entry.prefix + "\" had no name"};
    }
    if (auto added = prefixes.add(entry.prefix, static_cast<std::uint32_t>(body->homes.size()));
        !added)
      return added.error();
    body->homes.push_back({body->areas.index_of(entry.area), entry.area_code});
  }
  body->prefixes = prefixes.build();
  table.body_ = std::move(body);
  return table;
}

Result<std::vector<bool>> MobileAreas::choose(const std::vector<std::string>& areas) const {
  const route::AreaNames none;
  return (body_ == nullptr ? none : body_->areas).choose(areas, "no mobile prefix");
}

std::string_view MobileAreas::area_code(std::string_view number,
                                        const std::vector<bool>& chosen) const noexcept {
  if (body_ == nullptr || chosen.empty()) return {};
  const auto match = body_->prefixes.find(number);
  if (!match) return {};
  const Body::Home& home = body_->homes[match->value];
  return chosen[home.area] ? std::string_view(home.code) : std::string_view{};
}

}  // namespace tandem
