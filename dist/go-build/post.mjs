import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{post}from"../chunks/chunk-MU2646H7.mjs";import{definition}from"../chunks/chunk-J3RT6OLH.mjs";import"../chunks/chunk-PVR3SO7S.mjs";import{runPost}from"../chunks/chunk-FWBSCIZ7.mjs";import"../chunks/chunk-M2YQ7TCH.mjs";import"../chunks/chunk-2Z2CU6QK.mjs";await runPost(definition,post);
