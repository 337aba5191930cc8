// How deep JSON from outside may nest, told before it is read.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tandem {

/// Arrays and objects within each other. The JSON library reads any depth, but copies and writes
/// values by recursion: a text of brackets alone would use up the stack of whoever does that.
inline constexpr std::size_t json_depth_max = 64;

/// Offset of the first bracket beyond json_depth_max; nothing: there is none. Takes any bytes; up
/// to the first error of `json` it sees the brackets that a parser sees, be comments allowed or
/// not.
[[nodiscard]] std::optional<std::size_t> too_deep_at(std::string_view json) noexcept;

}  // namespace tandem
