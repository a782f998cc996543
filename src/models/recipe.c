// The mixes as llama.cpp makes them, by the role of a tensor and its layer.
#include "recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef enum Role { ROLE_OTHER, ROLE_VALUE, ROLE_DOWN, ROLE_ATTN_OUTPUT, ROLE_OUTPUT } Role;

// Where a role gets its better type.
typedef enum Where {
    NOWHERE,
    EVERYWHERE,
    MORE,               // the first and last eighth, and every third layer between
    FIRST_EIGHTH,       //
    FIRST_EIGHTH_PLAIN, // the same, but only without importance
    FIRST_16TH,
    FIRST_2,
    FIRST_4,
    GROUPED, // everywhere if four queries and more share a key
} Where;

typedef struct Choice {
    Where where;
    TensorType there, elsewhere;
} Choice;

struct Recipe {
    const char *name;
    int file_type;
    TensorType base, output;
    Choice value, down, attn_output;
    bool experts_only; // base is for experts, all else is Q8_0
};

#define SAME(type)                                                                                 \
    {                                                                                              \
        NOWHERE, TENSOR_##type, TENSOR_##type                                                      \
    }
#define PLAIN(name, id, type, output)                                                              \
    {                                                                                              \
        name, id, TENSOR_##type, TENSOR_##output, SAME(type), SAME(type), SAME(type), false        \
    }
#define CHOOSE(where, there, elsewhere)                                                            \
    {                                                                                              \
        where, TENSOR_##there, TENSOR_##elsewhere                                                  \
    }

static const Recipe recipes[] = {
    PLAIN("F32", 0, F32, F32),
    PLAIN("F16", 1, F16, F16),
    PLAIN("BF16", 32, BF16, BF16),
    PLAIN("Q8_0", 7, Q8_0, Q8_0),
    PLAIN("Q4_0", 2, Q4_0, Q6_K),
    PLAIN("Q4_1", 3, Q4_1, Q6_K),
    PLAIN("Q5_0", 8, Q5_0, Q6_K),
    PLAIN("Q5_1", 9, Q5_1, Q6_K),
    {"Q2_K", 10, TENSOR_Q2_K, TENSOR_Q6_K, CHOOSE(GROUPED, Q4_K, Q3_K), SAME(Q3_K), SAME(Q3_K),
     false},
    PLAIN("Q3_K_S", 11, Q3_K, Q6_K),
    {"Q3_K_M", 12, TENSOR_Q3_K, TENSOR_Q6_K, CHOOSE(FIRST_2, Q5_K, Q4_K),
     CHOOSE(FIRST_16TH, Q5_K, Q4_K), SAME(Q4_K), false},
    {"Q3_K_L", 13, TENSOR_Q3_K, TENSOR_Q6_K, SAME(Q5_K), SAME(Q5_K), SAME(Q5_K), false},
    {"Q4_K_S", 14, TENSOR_Q4_K, TENSOR_Q6_K, CHOOSE(FIRST_4, Q5_K, Q4_K),
     CHOOSE(FIRST_EIGHTH, Q5_K, Q4_K), SAME(Q4_K), false},
    {"Q4_K_M", 15, TENSOR_Q4_K, TENSOR_Q6_K, CHOOSE(MORE, Q6_K, Q4_K), CHOOSE(MORE, Q6_K, Q4_K),
     SAME(Q4_K), false},
    PLAIN("Q5_K_S", 16, Q5_K, Q6_K),
    {"Q5_K_M", 17, TENSOR_Q5_K, TENSOR_Q6_K, CHOOSE(MORE, Q6_K, Q5_K), CHOOSE(MORE, Q6_K, Q5_K),
     SAME(Q5_K), false},
    PLAIN("Q6_K", 18, Q6_K, Q6_K),
    {"IQ4_NL", 25, TENSOR_IQ4_NL, TENSOR_Q6_K, CHOOSE(GROUPED, Q5_K, IQ4_NL),
     CHOOSE(FIRST_EIGHTH_PLAIN, Q5_K, IQ4_NL), SAME(IQ4_NL), false},
    {"IQ4_XS", 30, TENSOR_IQ4_XS, TENSOR_Q6_K, CHOOSE(GROUPED, Q5_K, IQ4_XS),
     CHOOSE(FIRST_EIGHTH_PLAIN, Q5_K, IQ4_XS), SAME(IQ4_XS), false},
    PLAIN("MXFP4", 38, MXFP4, Q8_0),
    {"MXFP4_MOE", 38, TENSOR_MXFP4, TENSOR_Q8_0, SAME(Q8_0), SAME(Q8_0), SAME(Q8_0), true},
};
enum { N_RECIPES = sizeof recipes / sizeof *recipes };

const Recipe *recipe_find(const char *name)
{
    char longer[16];
    snprintf(longer, sizeof longer, "%.10s_M", name);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < N_RECIPES; i++)
            if (strcasecmp(recipes[i].name, pass ? longer : name) == 0) return &recipes[i];
    return NULL;
}

const char *recipe_name(const Recipe *recipe)
{
    return recipe->name;
}

const char *recipe_names(void)
{
    return "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K_S, Q3_K_M, Q3_K_L, Q4_K_S, "
           "Q4_K_M, Q5_K_S, Q5_K_M, Q6_K, IQ4_NL, IQ4_XS, MXFP4, MXFP4_MOE";
}

int recipe_file_type(const Recipe *recipe)
{
    return recipe->file_type;
}

// --- roles ---------------------------------------------------------------------------------------

static bool has(Str name, Str part)
{
    return str_find(name, part, 0) < name.len;
}

static Role find_role(const RecipeModel *model, Str name)
{
    if (str_equal(name, STR("output.weight")) || has(name, STR("shared_head_head")))
        return ROLE_OUTPUT;
    if (str_equal(name, STR("token_embd.weight"))) return model->tied ? ROLE_OUTPUT : ROLE_OTHER;
    if (has(name, STR("ffn_down"))) return ROLE_DOWN;
    if (has(name, STR("attn_v.")) || has(name, STR("attn_kv_b.")) || has(name, STR("attn_v_b.")))
        return ROLE_VALUE;
    return has(name, STR("attn_output.")) ? ROLE_ATTN_OUTPUT : ROLE_OTHER;
}

static int find_layer(Str name)
{
    return str_starts(name, STR("blk.")) ? atoi(name.ptr + 4) : 0;
}

static bool is_there(Where where, const RecipeModel *model, int layer)
{
    const Shape *s = model->shape;
    int n = s->n_layers;
    switch (where) {
    case NOWHERE:
        return false;
    case EVERYWHERE:
        return true;
    case MORE:
        return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
    case FIRST_EIGHTH:
        return layer < n / 8;
    case FIRST_EIGHTH_PLAIN:
        return layer < n / 8 && !model->has_importance;
    case FIRST_16TH:
        return layer < n / 16;
    case FIRST_2:
        return layer < 2;
    case FIRST_4:
        return layer < 4;
    case GROUPED:
        return s->n_heads / s->n_kv_heads >= 4;
    }
    return false;
}

static TensorType choose(const Choice *choice, const RecipeModel *model, int layer)
{
    return is_there(choice->where, model, layer) ? choice->there : choice->elsewhere;
}

// The closest type whose blocks divide rows of n.
static TensorType fall_back(TensorType type, uint64_t n)
{
    if (n % (uint64_t)tensor_type_info(type)->block_elements == 0) return type;
    if (n % 32 != 0) return TENSOR_F16;
    switch (type) {
    case TENSOR_Q2_K:
    case TENSOR_Q3_K:
        return TENSOR_Q4_0;
    case TENSOR_Q4_K:
        return TENSOR_Q5_0;
    case TENSOR_Q5_K:
        return TENSOR_Q5_1;
    case TENSOR_IQ4_XS:
        return TENSOR_IQ4_NL;
    default:
        return TENSOR_Q8_0;
    }
}

static bool stays_float(Str name, int n_dims, const uint64_t dims[4])
{
    bool vector = n_dims < 2 || (dims[1] == 1 && dims[2] == 1);
    return vector || !str_ends(name, STR(".weight")) || has(name, STR("ffn_gate_inp")) ||
           has(name, STR("_norm."));
}

TensorType recipe_choose(const Recipe *recipe, const RecipeModel *model, Str name, int n_dims,
                         const uint64_t dims[4])
{
    if (stays_float(name, n_dims, dims)) return TENSOR_F32;
    int layer = find_layer(name);
    TensorType type = recipe->base;
    switch (find_role(model, name)) {
    case ROLE_VALUE:
        type = choose(&recipe->value, model, layer);
        break;
    case ROLE_DOWN:
        type = choose(&recipe->down, model, layer);
        break;
    case ROLE_ATTN_OUTPUT:
        type = choose(&recipe->attn_output, model, layer);
        break;
    case ROLE_OUTPUT:
        type = recipe->output;
        break;
    case ROLE_OTHER:
        break;
    }
    if (recipe->experts_only) type = has(name, STR("_exps.")) ? recipe->base : TENSOR_Q8_0;
    return fall_back(type, dims[0]);
}
