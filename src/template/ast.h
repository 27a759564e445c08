/* SPDX-License-Identifier: Apache-2.0 */
/* ast.h - the tree of a template; private to this folder. */
#pragma once
#include "template/template.h"
#include "template/value.h"

enum targ_kind {
    TARG_DOT,
    TARG_NIL,
    TARG_CONST, /* bool, number, string, rune */
    TARG_FIELD, /* .a.b */
    TARG_VAR,   /* $x.a; the name with its $ */
    TARG_FUNC,
    TARG_PIPE, /* (pipeline).a */
};

struct targ {
    enum targ_kind kind;
    struct str_view name; /* of a variable or function */
    struct tvalue value;
    const struct tfunc *func;
    struct tpipe *pipe;
    struct str_view *fields;
    size_t n_fields;
    struct str_view source;
};

struct tcommand {
    struct targ *args;
    size_t n_args;
    struct str_view source;
    struct tcommand *next;
};

struct tpipe {
    struct str_view vars[2]; /* with their $ */
    size_t n_vars;
    bool assigns; /* = rather than := */
    struct tcommand *commands;
    uint32_t line, col;
    struct str_view source;
};

enum tnode_kind {
    TNODE_TEXT,
    TNODE_ACTION,
    TNODE_IF,
    TNODE_WITH,
    TNODE_RANGE,
    TNODE_CALL, /* {{template "name" pipe}} */
    TNODE_BREAK,
    TNODE_CONTINUE,
};

struct tnode {
    enum tnode_kind kind;
    struct str_view text;  /* of text; name of a called template */
    struct str_view field; /* action that is just one field: its name */
    struct tpipe *pipe;
    struct tnode *body, *otherwise;
    struct tnode *next;
};

struct tdefinition {
    struct str_view name;
    struct tnode *body;
    struct tdefinition *next;
};

struct template
{
    struct str_view text;
    struct tnode *body;
    struct tdefinition *definitions; /* the whole template too, by the name "line" */
};

struct tdefinition *find_definition(const struct template *t, struct str_view name);
