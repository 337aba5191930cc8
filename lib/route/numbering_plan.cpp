#include "tandem/numbering_plan.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/prefix_table.hpp"
#include "route/area_names.hpp"
#include "tandem/values.hpp"

namespace tandem {
namespace {

constexpr std::array<std::pair<NumberKind, const char*>, 3> kinds{
    {{NumberKind::other, "other"}, {NumberKind::city, "city"}, {NumberKind::mobile, "mobile"}}};

}  // namespace

const char* number_kind_name(NumberKind kind) noexcept {
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [kind](const auto& one) { return one.first == kind; });
  return found == kinds.end() ? "" : found->second;
}

std::optional<NumberKind> number_kind_from_name(std::string_view name) noexcept {
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [name](const auto& one) { return one.second == name; });
  if (found == kinds.end()) return std::nullopt;
  return found->first;
}

struct NumberingPlan::Body {
  struct Entry {
    NumberKind kind;
    std::uint8_t min_length, max_length;
    std::uint32_t area;
  };
  route::AreaNames areas;
  std::vector<Entry> entries;
  PrefixTable<> prefixes;  // to entries
};

Result<NumberingPlan> NumberingPlan::build(const std::vector<NumberingPlanEntry>& entries) {
  NumberingPlan plan;
  if (entries.empty()) return plan;
  auto body = std::make_shared<Body>();
  std::vector<std::string> areas;
  for (const NumberingPlanEntry& entry : entries) {
    if (!entry.area.empty()) areas.push_back(entry.area);
  }
  body->areas = route::AreaNames(std::move(areas));
  PrefixTable<>::Builder prefixes;
  for (const NumberingPlanEntry& entry : entries) {
    if (!is_number(entry.prefix)) {
      return Error{ErrorCode::invalid_argument, "prefix \"" + entry.prefix +
                                                    "\" of the numbering plan was not 1..32 "
                                                    "characters of 0-9 A-Z a-z + * # _"};
    }
    if (entry.min_length < 1 || entry.max_length < entry.min_length || entry.max_length > 32) {
      return Error{ErrorCode::invalid_argument, "lengths " + std::to_string(entry.min_length) +
                                                    ".." + std::to_string(entry.max_length) +
                                                    " of prefix \"" + entry.prefix +
                                                    "\" were not within 1..32, the least first"};
    }
    if (auto added = prefixes.add(entry.prefix, static_cast<std::uint32_t>(body->entries.size()));
        !added)
      return added.error();
    body->entries.push_back({entry.kind, static_cast<std::uint8_t>(entry.min_length),
                             static_cast<std::uint8_t>(entry.max_length),
                             entry.area.empty() ? no_area : body->areas.index_of(entry.area)});
  }
  body->prefixes = prefixes.build();
  plan.body_ = std::move(body);
  return plan;
}

NumberingPlan::Class NumberingPlan::classify(std::string_view number) const noexcept {
  if (body_ == nullptr) return {};
  const auto match = body_->prefixes.find(number);
  if (!match) return {};
  const Body::Entry& entry = body_->entries[match->value];
  return {entry.kind, number.size() >= entry.min_length && number.size() <= entry.max_length,
          entry.area};
}

Result<std::vector<bool>> NumberingPlan::choose(const std::vector<std::string>& areas) const {
  const route::AreaNames none;
  return (body_ == nullptr ? none : body_->areas).choose(areas, "no number of the plan");
}

}  // namespace tandem
