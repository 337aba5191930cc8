// How a language says numbers, time and money: as sequences of the sound files of a voice (M-14).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

/// Sound files in the order in which they are heard, each below the folder of a voice and without
/// ".wav": "digits/20". "dollar|digits/dollars" is the first of these that is there, "cents|"
/// nothing where it is not.
using SpokenPhrase = std::vector<std::string>;

/// The grammar of a language: rules that make a phrase of a number. docs/voices.md has the form.
///
/// Threading: immutable; any number of threads may call it at once. Ownership: copies share one
/// body.
class TANDEM_EXPORT SpokenGrammar {
 public:
  static constexpr std::size_t text_bytes_max = 65'536;
  static constexpr std::size_t files_max = 64;  ///< Of one phrase.

  /// Errors: invalid_argument (names the line), limit (text_bytes_max).
  static Result<SpokenGrammar> parse(std::string_view text);
  /// "en", "es" or "zh". Errors: not_found.
  static Result<SpokenGrammar> built_in(std::string_view language);
  [[nodiscard]] static std::vector<std::string> built_in_languages();
  /// One that is built in, or the file of a path with a '/' in it. Reads the disk, so not for a
  /// loop. Errors: those of parse(), io; the message names the file.
  static Result<SpokenGrammar> load(const std::string& source);

  // Errors of these four: not_found (the grammar has no rule for it), limit (files_max).
  [[nodiscard]] Result<SpokenPhrase> number(std::uint64_t value) const;
  /// "You have 3 minutes": whole minutes, below one seconds, rounded down.
  [[nodiscard]] Result<SpokenPhrase> remaining_time(std::uint64_t seconds) const;
  /// "You have 12 dollars 50": rounded down to hundredths; nothing is left of what is negative.
  [[nodiscard]] Result<SpokenPhrase> remaining_amount(Amount amount,
                                                      std::string_view currency) const;
  /// What a section of the grammar makes of a number.
  [[nodiscard]] Result<SpokenPhrase> say(std::string_view section, std::uint64_t value,
                                         std::string_view currency = {}) const;

  /// Every file that say() of a section may name, sorted; a "|" is as in a phrase. Errors: those
  /// of say() that are not about the number.
  [[nodiscard]] Result<SpokenPhrase> vocabulary(std::string_view section,
                                                std::string_view currency = {}) const;

 private:
  struct Body;
  std::shared_ptr<const Body> body_;
};

/// The path of one file of a phrase in the folder of a voice; "": it is left out. Reads the disk,
/// so not for a loop. Errors: io (it is not there; the message names its path).
TANDEM_EXPORT Result<std::string> spoken_file(std::string_view name, const std::string& folder);
/// Paths of a phrase in the folder of a voice: what AudioPlaylist::load() takes. Errors: those
/// of spoken_file().
TANDEM_EXPORT Result<std::vector<std::string>> spoken_files(const SpokenPhrase& phrase,
                                                            const std::string& folder);

}  // namespace tandem
