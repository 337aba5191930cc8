// Whose the files of a folder of day files are.
#pragma once

#include <string>

#include "tandem/error.hpp"

namespace tandem::cdr {

/// Makes `path` the file of whoever `model` belongs to, for him to write and for the others as far
/// as they may with `model`, a file or a folder: what an administrator makes among the files of the
/// switch must not lock the switch out. Links are not followed. Errors: io (also: this process may
/// not give files away).
Result<void> give_to_owner(const std::string& path, const std::string& model);

/// The model of a file that `folder` does not have yet: the sink's own file, else the folder.
std::string owner_model(const std::string& folder);

/// That give_to_owner(.., model) will not be refused. Errors: io (the text says who may do it).
Result<void> check_may_give(const std::string& model);

}  // namespace tandem::cdr
