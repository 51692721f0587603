import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{post}from"../chunks/chunk-MIPULL5R.mjs";import{definition}from"../chunks/chunk-PQ6UYYIK.mjs";import"../chunks/chunk-PVR3SO7S.mjs";import{runPost}from"../chunks/chunk-FWBSCIZ7.mjs";import"../chunks/chunk-M2YQ7TCH.mjs";import"../chunks/chunk-2Z2CU6QK.mjs";await runPost(definition,post);
