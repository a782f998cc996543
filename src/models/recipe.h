// Recipes: which tensor of a model becomes which type, under the names that users know (Q4_K_M).
#pragma once

#include "engine/gguf.h"
#include "engine/shape.h"

typedef struct Recipe Recipe;

// By name in any case; Q3_K, Q4_K and Q5_K mean their _M. NULL: unknown.
const Recipe *recipe_find(const char *name);
const char *recipe_name(const Recipe *recipe);
// All names, separated by commas.
const char *recipe_names(void);
// The value of general.file_type.
int recipe_file_type(const Recipe *recipe);

// What the choice depends on besides the tensor.
typedef struct RecipeModel {
    const Shape *shape;
    bool tied;           // no output.weight: the embedding is the output too
    bool has_importance; // from calibration text
} RecipeModel;

// The type for a tensor of that name and dims. Vectors, routers and what is no weight stay F32;
// rows that no block divides get the closest type that divides them, F16 at last.
TensorType recipe_choose(const Recipe *recipe, const RecipeModel *model, Str name, int n_dims,
                         const uint64_t dims[4]);
